# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a run did to the apps of a host, as a table. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _probe
from ansible_collections.wsgi.stack.plugins.module_utils.status import _table
from ansible_collections.wsgi.stack.plugins.plugin_utils._run import Report

COLUMNS = ("app", "release", "revision", "URL", "changed", "seconds")


def entries(apps: Iterable[App], report: Report, host: str, port: int) -> list[dict[str, Any]]:
    """What happened to each app: what is live now, or in check mode would be, and whether that is new.

    :param apps: resolved
    :param host: its name, which stands in the URL of an app without domains
    :param port: nginx's port for HTTP
    """
    found = []
    for app in apps:
        name = app["name"]
        before = report.live.get(name, {})
        new = name in report.rolled_out and name not in report.staged
        found.append(
            {
                "app": name,
                "release": report.releases.get(name) if new else before.get("release"),
                "revision": report.revisions.get(name) if new else before.get("revision"),
                "url": _probe.url(app, host, port),
                "changed": _changed(name, report),
                "seconds": round(report.seconds.get(name, 0.0), 1),
            }
        )
    gone = {"release": None, "revision": None, "url": None, "changed": "removed", "seconds": 0.0}
    return [*found, *({"app": name, **gone} for name in dict.fromkeys(report.removed))]


def _changed(name: str, report: Report) -> str:
    if name in report.failed:
        return "failed"
    if name in report.staged:
        return "staged"
    return "yes" if name in report.changed else "no"


def table(found: Iterable[dict[str, Any]]) -> list[str]:
    """The entries as the lines of an aligned table."""
    rows = [
        (
            each["app"],
            "-" if each["release"] is None else str(each["release"]),
            _table.short(each["revision"]),
            each["url"] or "-",
            each["changed"],
            f"{each['seconds']:.1f}" if each["seconds"] else "-",
        )
        for each in found
    ]
    return _table.aligned([COLUMNS, *rows])
