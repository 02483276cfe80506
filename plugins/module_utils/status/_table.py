# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The status of the apps as a table. All of it is pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = tuple(
    "app,state,stack,slot,release,revision,live since,staged,previous,processes,MiB,up,workers,certificate".split(","),
)

MARKS = {
    "*": "is not in wsgi_apps; wsgi_prune: true removes it",
    "**": "is removed, and its data was kept; wsgi_remove_shared: true removes that, too",
}
"""What is said of an app that the inventory does not have, or wants to be absent."""

COMMIT = re.compile(r"[0-9a-f]{40,64}")
"""A revision that is shown in short."""


def table(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The entries as the lines of an aligned table, with a summary as the last line.

    :param entries: see ``_status.entry``, with ``listed`` and ``certificate``
    """
    lines = aligned([COLUMNS, *(_cells(each) for each in entries)])
    states = [each["state"] for each in entries]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    marks = sorted({_mark(each) for each in entries if not each["listed"]})
    told = [f"{mark} {MARKS[mark]}" for mark in marks]
    return [*lines, "", *told, f"{len(entries)} app{'' if len(entries) == 1 else 's'}: {', '.join(counts) or 'none'}"]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, with the columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def short(revision: Any) -> str:
    """A revision as it is shown."""
    text = str(revision or "-")
    return text[:9] if COMMIT.fullmatch(text) else text


def _cells(each: Mapping[str, Any]) -> tuple[str, ...]:
    days = each["certificate"]["days_left"] if each["certificate"] else None
    return (
        each["app"] + ("" if each["listed"] else f" {_mark(each)}"),
        each["state"],
        str(each["stack"] or "-"),
        str(each["slot"] or "-"),
        _number(each["release"]),
        short(each["revision"]),
        (each["live_since"] or "-").replace("T", " ").replace("Z", ""),
        _number(each["staged"]),
        _number(each["previous"]),
        str(each["processes"]),
        _number(each["memory_mib"]),
        _duration(each["uptime"]),
        _workers(each["workers"], each["timers"]),
        _left(days, bool(days is not None and each["certificate"]["late"])),
    )


def _mark(each: Mapping[str, Any]) -> str:
    return "**" if each["state"] == "absent" else "*"


def _workers(workers: Sequence[Mapping[str, Any]], timers: Sequence[Mapping[str, Any]]) -> str:
    """How many processes of all workers run, and whose last job failed."""
    counts = [f"{sum(worker['running'] for worker in workers)}/{sum(worker['count'] for worker in workers)}"] if workers else []
    failed = [timer["name"] for timer in timers if timer["result"] not in ("", "success")]
    return ", ".join([*counts, *(f"{name} failed" for name in failed)]) or "-"


def _left(days: int | None, late: bool) -> str:
    """How long a certificate is valid, and whether it should have been renewed already."""
    if days is None:
        return "-"
    if days < 0:
        return "expired"
    return f"{days} day{'' if days == 1 else 's'}" + (", not renewed" if late else "")


def _number(value: float | None) -> str:
    return "-" if value is None else str(value)


def _duration(seconds: int | None) -> str:
    """A duration in its two largest units."""
    if seconds is None:
        return "-"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((place for place, (value, _unit) in enumerate(parts) if value), len(parts) - 1)
    return " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2] if value or unit == "s")
