# SPDX-License-Identifier: GPL-3.0-or-later
"""Which domains share a certificate, and where a site's certificate lies. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

DIRECTORY = "/etc/ssl/wsgi"
"""Where each site has a directory with what it presents to visitors."""


WEBROOT = "/var/lib/wsgi/acme"
"""Where the answers to an ACME server's challenges lie, for all sites."""


CHALLENGE = "/.well-known/acme-challenge/"
"""The URL below which an ACME server asks for them, over HTTP (RFC 8555, 8.3)."""


CHAIN = "fullchain.pem"


KEY = "privkey.pem"


def sites(apps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sites with TLS. A site is what has one certificate: the domains that an app is the first to have.

    :param apps: resolved apps, see ``apps._resolve.resolve``
    :returns: of each the ``name`` (the first app's), its ``domains``, the names of all ``apps`` on them, and ``mode``,
        ``certificate``, ``key``, ``on_host``, ``port`` and ``profile`` as the app says; without domains it is the site of
        whatever name
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
    """The directory of a site: what it presented, presents or will present, and the link ``live``."""
    return os.path.join(root, site)


def live(site: str, root: str = DIRECTORY) -> str:
    """The link to the directory with the chain and the key that nginx presents for a site."""
    return os.path.join(directory(site, root), "live")


def files(site: str) -> tuple[str, str]:
    """The paths of chain and key that nginx names; they stay when the certificate is another."""
    return os.path.join(live(site), CHAIN), os.path.join(live(site), KEY)
