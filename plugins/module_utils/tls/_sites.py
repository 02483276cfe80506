# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Sites: the domains that share a certificate, and the paths of the certificate. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

DIRECTORY = "/etc/ssl/wsgi"
"""Each site has a directory here with the certificate that it presents."""

WEBROOT = "/var/lib/wsgi/acme"
"""The directory for responses to ACME challenges, for all sites."""

CHALLENGE = "/.well-known/acme-challenge/"
"""The path below which an ACME server requests them over HTTP (RFC 8555, 8.3)."""

CHAIN = "fullchain.pem"
KEY = "privkey.pem"


def sites(apps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sites with TLS. A site has one certificate, for the domains of which an app is the first owner.

    :param apps: resolved apps
    :returns: for each site its ``name`` (that of the first app), its ``domains``, the names of all ``apps`` on them, and
        ``mode``, ``certificate``, ``key``, ``on_host``, ``port`` and ``profile`` of the app's ``tls``. A site without domains
        serves every name.
    """
    found: dict[str, dict[str, Any]] = {}
    owners: dict[str, str] = {}
    for app in apps:
        for domain in app["domains"] or [""]:
            owner = owners.setdefault(domain, app["name"])
            if app["tls"]["mode"] == "none":
                continue
            said = {key: app["tls"][key] for key in ("mode", "certificate", "key", "on_host", "port", "profile")}
            site = found.setdefault(owner, {"name": owner, "apps": [], "domains": [], **said})
            if domain and domain not in site["domains"]:
                site["domains"].append(domain)
            if app["name"] not in site["apps"]:
                site["apps"].append(app["name"])
    return list(found.values())


def directory(site: str, root: str = DIRECTORY) -> str:
    """The directory of a site, with its certificates in directories and the link ``live`` to the current one."""
    return os.path.join(root, site)


def live(site: str, root: str = DIRECTORY) -> str:
    """The symlink to the directory with the chain and the key that nginx presents for a site."""
    return os.path.join(directory(site, root), "live")


def files(site: str) -> tuple[str, str]:
    """The paths of chain and key in nginx's configuration. They do not change when the certificate is replaced."""
    return os.path.join(live(site), CHAIN), os.path.join(live(site), KEY)
