# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS of the sites: what an app may say of it, which domains share a certificate, where that lies, what nginx is told. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._values import AppError, Schema, boolean, integer, one_of, shown, text

DIRECTORY = "/etc/ssl/wsgi"
"""Where each site has a directory with what it presents to visitors."""

WEBROOT = "/var/lib/wsgi/acme"
"""Where the answers to an ACME server's challenges lie, for all sites."""

CHALLENGE = "/.well-known/acme-challenge/"
"""The URL below which an ACME server asks for them, over HTTP (RFC 8555, 8.3)."""

CHAIN = "fullchain.pem"
KEY = "privkey.pem"

TLS: Schema = {
    "mode": (one_of("none", "self_signed", "certbot", "files"), "none"),
    "certificate": (text(), None),
    "key": (text(), None),
    "on_host": (boolean, False),
    "port": (integer(1, 65535), 443),
    "redirect": (boolean, True),
    "profile": (one_of("intermediate", "modern"), "intermediate"),
    "hsts": (integer(0, 315360000), 0),
}

# Mozilla's Server Side TLS, 5.7, without the ciphers that want parameters for DHE: no browser that has those lacks ECDHE.
CIPHERS = ":".join(
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ]
)
PROFILES = {
    "intermediate": [("ssl_protocols", "TLSv1.2 TLSv1.3"), ("ssl_ciphers", CIPHERS)],
    "modern": [("ssl_protocols", "TLSv1.3")],
}
SESSIONS = [
    ("ssl_prefer_server_ciphers", "off"),
    ("ssl_session_cache", "shared:wsgi:10m"),
    ("ssl_session_timeout", "1d"),
    ("ssl_session_tickets", "off"),
]
CURVES = "X25519:prime256v1:secp384r1"

HTTP2_DIRECTIVE = (1, 25, 1)
"""The nginx from which HTTP/2 is a directive of its own; before, it is a word of ``listen``."""

REJECT_HANDSHAKE = (1, 19, 4)
"""The nginx from which a server needs no certificate to refuse."""

POST_QUANTUM = (3, 5)
"""The OpenSSL from which there is X25519MLKEM768. nginx refuses a list with a curve that its OpenSSL does not know."""


def check(tls: Mapping[str, Any], domains: Sequence[str]) -> None:
    """Refuse keys that cannot go together.

    :raises AppError: the first mistake found; the message begins with the key
    """
    files = tls["mode"] == "files"
    for key in ("certificate", "key"):
        if files and tls[key] is None:
            raise AppError(f"tls.{key}: not given, and mode files has no default for it; add the path of a file in PEM form.")
        if files and tls["on_host"] and not re.fullmatch(r"(/[^/\0]+)+", tls[key]):
            raise AppError(f"tls.{key}: found {shown(tls[key])}, wanted an absolute path, as on_host is true; write it in full.")
    for key in ("certificate", "key", "on_host"):
        if tls[key] and not files:
            raise AppError(f"tls.{key}: found with mode {tls['mode']}, wanted only with mode files; remove it, or set that mode.")
    if tls["mode"] == "certbot" and not domains:
        raise AppError(
            "tls.mode: found certbot without domains, wanted names that a certificate can be for; add domains, or choose"
            " self_signed."
        )
    if tls["hsts"] and (tls["mode"] == "none" or not tls["redirect"] or tls["port"] != 443):
        raise AppError(
            f"tls.hsts: found {tls['hsts']}, wanted only with TLS on port 443 and a redirect to it, since browsers take no other"
            " way from then on; remove it, or what is in its way of mode, port and redirect."
        )


def place(tls: Mapping[str, Any], base_directory: str | None = None) -> dict[str, Any]:
    """The key ``tls`` with absolute paths.

    :param base_directory: where a relative path on the controller begins; the current directory if not given
    """
    if tls["mode"] != "files" or tls["on_host"]:
        return dict(tls)
    base = base_directory or os.getcwd()
    paths = {key: os.path.abspath(os.path.join(base, os.path.expanduser(tls[key]))) for key in ("certificate", "key")}
    return {**tls, **paths}


def sites(apps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sites with TLS. A site is what has one certificate: the domains that an app is the first to have.

    :param apps: resolved apps, see ``_apps.resolve``
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


def version(text: str | None) -> tuple[int, ...]:
    """The numbers of a version such as ``1.22.1``; of one that is not known, so many that it counts as new."""
    return tuple(int(number) for number in re.findall(r"[0-9]+", text or "")[:3]) or (999,)


def certificate(site: str, stapling: bool = False) -> list[tuple[str, str]]:
    """nginx's directives for the certificate of a site.

    :param stapling: whether its CA still answers for it by OCSP
    """
    chain, key = files(site)
    found = [("ssl_certificate", chain), ("ssl_certificate_key", key)]
    # Not ssl_stapling_verify, which wants the CA's root from somewhere; who is shown the answer verifies it.
    return [*found, ("ssl_stapling", "on")] if stapling else found


def settings(profile: str, openssl: str | None = None) -> list[tuple[str, str]]:
    """nginx's directives for the protocol.

    :param openssl: the version of nginx's OpenSSL; if it is not known, what every one has
    """
    curves = f"X25519MLKEM768:{CURVES}" if openssl and version(openssl) >= POST_QUANTUM else CURVES
    return [*PROFILES[profile], ("ssl_ecdh_curve", curves), *SESSIONS]
