# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Conflicts between apps: the same URLs, the same ports, or different TLS settings on one domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError


def check_conflicts(apps: Sequence[App], http_ports: Sequence[int] = ()) -> None:
    """Refuse two apps that use the same URL or port. An app without domains serves every domain that no other app has.

    :param apps: resolved apps
    :param http_ports: nginx's ports for HTTP
    :raises InventoryError: the first conflict found
    """
    _check_urls(apps)
    _check_tls(apps)
    _check_ports(apps, http_ports)


def _check_urls(apps: Sequence[App]) -> None:
    mounts: dict[tuple[str, str], str] = {}
    statics: dict[tuple[str, str], str] = {}
    canonical: dict[str, tuple[str, str | None]] = {}
    for app in apps:
        who = f"app {app['name']}"
        for domain in app["domains"] or [""]:
            where = domain or "any domain"
            owner = mounts.setdefault((domain, app["mount"]), app["name"])
            if owner != app["name"]:
                raise InventoryError(
                    f"{who}: mount: {app['mount']} on {where} is already used by app {owner};"
                    " change the mount or the domains of one of them."
                )
            first, wanted = canonical.setdefault(domain, (app["name"], app["canonical_domain"]))
            if wanted != app["canonical_domain"]:
                raise InventoryError(
                    f"{who}: canonical_domain: {app['canonical_domain']} differs from app {first}'s {wanted} on the same"
                    f" domain {where}; set the same for both."
                )
            for static in app["static"]:
                owner = statics.setdefault((domain, static["url"]), app["name"])
                if owner != app["name"]:
                    raise InventoryError(
                        f"{who}: static: the URL {static['url']} on {where} is already used by app {owner}; change one of them."
                    )
    for (domain, mount), name in mounts.items():
        for (where, url), owner in statics.items():
            # At the root of a domain, a static directory has what is left by the mounts.
            taken = mount == "/" if url == "/" else (mount.rstrip("/") + "/").startswith(url)
            if where == domain and owner != name and taken:
                raise InventoryError(
                    f"app {name}: mount: {mount} is inside the static URL {url} of app {owner}"
                    f" on {domain or 'any domain'}; change one of the two."
                )


def _check_tls(apps: Sequence[App]) -> None:
    """On a domain there is one certificate, and on a port one choice of protocols."""
    domains: dict[str, tuple[str, Mapping[str, Any]]] = {}
    profiles: dict[int, tuple[str, str]] = {}
    for app in apps:
        tls: Mapping[str, Any] = app["tls"]
        for domain in app["domains"] or [""]:
            first, wanted = domains.setdefault(domain, (app["name"], tls))
            for key in [key for key in tls if tls[key] != wanted[key]][:1]:
                raise InventoryError(
                    f"app {app['name']}: tls.{key}: {tls[key]} differs from app {first}'s {wanted[key]} on"
                    f" {f'the same domain {domain}' if domain else 'any domain'}; set the same for both."
                )
        if tls["mode"] != "none":
            first, profile = profiles.setdefault(tls["port"], (app["name"], tls["profile"]))
            if profile != tls["profile"]:
                raise InventoryError(
                    f"app {app['name']}: tls.profile: {tls['profile']} differs from app {first}'s {profile} on the same port"
                    f" {tls['port']}, where nginx negotiates the protocol before it knows the domain; set the same for both."
                )


def _check_ports(apps: Sequence[App], http_ports: Sequence[int]) -> None:
    """Only nginx's ports for visitors are shared: those for HTTP, and one for TLS by any number of apps."""
    taken = dict.fromkeys(http_ports, "nginx's for HTTP (nginx_http_ports)")
    for app in apps:
        if app["tls"]["mode"] != "none":
            port = app["tls"]["port"]
            what = taken.setdefault(port, f"app {app['name']}'s for TLS (tls.port)")
            if not what.endswith("(tls.port)"):
                raise _taken(app, "tls.port", port, what)
    for app in apps:
        bind = int(app["bind"].rpartition(":")[2]) if app["bind"] else None
        for key, wanted in (("preview_port", app["preview_port"]), ("bind", bind)):
            if wanted:
                mine = f"app {app['name']}'s ({key})"
                what = taken.setdefault(wanted, mine)
                if what != mine:
                    raise _taken(app, key, wanted, what)


def _taken(app: App, key: str, port: int, what: str) -> InventoryError:
    return InventoryError(f"app {app['name']}: {key}: port {port} is already {what}; choose another one.")
