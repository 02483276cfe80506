# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps that want the same URLs."""

from __future__ import annotations

from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._values import AppError


def check_conflicts(apps: list[dict[str, Any]]) -> None:
    """Refuse two apps that want the same; an app without domains has those of every name that nobody else has.

    :param apps: resolved apps
    :raises AppError: the first conflict found
    """
    mounts: dict[tuple[str, str], str] = {}
    statics: dict[tuple[str, str], str] = {}
    canonical: dict[str, tuple[str, str | None]] = {}
    for app in apps:
        who = f"app {app['name']}"
        for domain in app["domains"] or [""]:
            where = domain or "any domain"
            owner = mounts.setdefault((domain, app["mount"]), app["name"])
            if owner != app["name"]:
                raise AppError(
                    f"{who}: mount: found {app['mount']} on {where}, which app {owner} has already;"
                    " change the mount or the domains of one."
                )
            first, wanted = canonical.setdefault(domain, (app["name"], app["canonical_domain"]))
            if wanted != app["canonical_domain"]:
                raise AppError(
                    f"{who}: canonical_domain: found {app['canonical_domain']}, but app {first} on the same domain {where}"
                    f" has {wanted}; give both the same."
                )
            for static in app["static"]:
                owner = statics.setdefault((domain, static["url"]), app["name"])
                if owner != app["name"]:
                    raise AppError(
                        f"{who}: static: found the URL {static['url']} on {where}, which app {owner} has already; change one."
                    )
    for (domain, mount), name in mounts.items():
        for (where, url), owner in statics.items():
            if where == domain and owner != name and (mount.rstrip("/") + "/").startswith(url):
                raise AppError(
                    f"app {name}: mount: found {mount}, which is inside the static URL {url} of app {owner}"
                    f" on {domain or 'any domain'}; change one of the two."
                )
