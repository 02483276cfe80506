# SPDX-License-Identifier: GPL-3.0-or-later
"""How the apps of a host are: what is live, since when, what it takes, and what could be gone back to.

``examine`` reads the host, by one look at each server for all apps. ``entry`` and ``table`` are pure.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _remove
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _run
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites

MIB = 1024 * 1024  # bytes
COLUMNS = tuple(
    "app,state,stack,slot,release,revision,live since,held,previous,processes,MiB,up,certificate".split(","),
)

COMMIT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Usage:
    """What a slot's processes take.

    :ivar memory: bytes, each page that is shared divided among those that share it (PSS, see proc_pid_smaps(5)); None if the
        kernel does not tell
    :ivar uptime: seconds since the first of them began
    """

    processes: int = 0
    memory: int | None = None
    uptime: int | None = None


@dataclass(frozen=True)
class Records:
    """What an app's directory tells.

    :ivar releases: those that are there, ascending, each with ``number``, ``stack``, ``revision`` and ``made``
    :ivar history: the releases that went live, the last one last, each with ``number``, ``stack`` and ``since``
    """

    releases: tuple[dict[str, Any], ...] = ()
    history: tuple[dict[str, Any], ...] = field(default=())


def examine(apps: Sequence[dict[str, Any]], directory: str, runtime_directory: str, nginx_user: str) -> list[dict[str, Any]]:
    """All apps of the host, those of the list first.

    :param apps: resolved apps
    :returns: an ``entry`` each
    """
    names = {app["name"] for app in apps}
    strangers = [
        _stranger(_layout.Layout(name, directory, runtime_directory))
        for name in sorted(_remove.found(directory, runtime_directory) - names)
    ]
    everyone = [*apps, *strangers]
    seen = _run.instances(everyone)
    states = _run.observe(everyone, nginx_user, seen)
    there = _processes.everybody()
    certificates = _certificates(apps)
    found = []
    for app in everyone:
        name, state = app["name"], states[app["name"]]
        instance = _live_instance(app, state, seen)
        found.append(
            {
                **entry(name, state, instance, records(_layout.of(app)), usage(instance.pid, there)),
                "certificate": certificates.get(name),
                "listed": name in names,
            }
        )
    return found


def _stranger(layout: _layout.Layout) -> dict[str, Any]:
    """As much of an app that is in no list as it takes to ask it; whatever it answers, it answers."""
    return {
        **_remove.placed(layout),
        "protocol": "uwsgi",
        "domains": [],
        "canonical_domain": None,
        "health_check": {"path": "/", "status": list(range(100, 600)), "timeout": 0},
    }


def _live_instance(app: Mapping[str, Any], state: _run.State, seen: Mapping[str, Mapping[str, Instance]]) -> Instance:
    if state.live is None:
        return Instance()
    name = _layout.of(app).instance(state.live)
    return next((states[name] for states in seen.values() if states[name].active), Instance())


def records(layout: _layout.Layout) -> Records:
    """What there is of an app's releases, and which of them were live."""
    found = []
    for number in _release.numbers(layout.releases):
        try:
            note = _release.read(layout, number)
            made = os.stat(os.path.join(layout.release(number), "release.json")).st_mtime
        except (OSError, ValueError):
            continue  # cut short, or removed meanwhile
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made))
        found.append({"number": number, "stack": note.get("stack"), "revision": note.get("revision"), "made": since})
    lived = [{"number": number, "stack": stack, "since": since} for number, stack, since in _release.history(layout)]
    return Records(tuple(found), tuple(lived))


def usage(pid: int, there: Mapping[_processes.Process, int]) -> Usage:
    """What a process and those that it started take.

    :param pid: 0 for none
    :param there: see ``host._processes.everybody``
    """
    family = _processes.family(pid, dict(there)) if pid else set()
    if not family:
        return Usage()
    sizes = [_processes.memory(member) for member, _start in family]
    began = min(start for _member, start in family) / os.sysconf("SC_CLK_TCK")
    memory = None if None in sizes else sum(size for size in sizes if size is not None)
    return Usage(len(family), memory, max(0, int(time.clock_gettime(time.CLOCK_BOOTTIME) - began)))


def _certificates(apps: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The certificate of each app's first site that has one."""
    found: dict[str, dict[str, Any]] = {}
    now = time.time()
    for site in _sites.sites(apps):
        certificate = _presented.look(site["name"]).certificate
        if certificate is not None:
            for name in site["apps"]:
                found.setdefault(name, {**certificate.result(now), "late": certificate.ends - now < certificate.margin})
    return found


def entry(name: str, state: _run.State, instance: Instance, kept: Records, used: Usage) -> dict[str, Any]:
    """One app. Pure.

    :param instance: its live slot, under what runs it
    :param kept: its releases
    :param used: what its live slot takes
    """
    slot = state.slots[state.live] if state.live else _run.Slot()
    live = (slot.release if slot.stacks else None) or (state.current if state.live else None)
    been = {line["number"] for line in kept.history} | ({live} if live is not None else set())
    stacks = {line["number"]: line["stack"] for line in kept.history}
    releases = [
        {**release, "stack": release["stack"] or stacks.get(release["number"]), "been_live": release["number"] in been}
        for release in kept.releases
    ]
    held = state.slots[state.preview].release if state.preview and state.preview != state.live else None
    ran = next((line for line in reversed(kept.history) if line["number"] == live), {})
    return {
        "app": name,
        "state": _word(state.live, slot, instance.asleep, held),
        "stack": next(iter(slot.stacks), ran.get("stack")),
        "slot": state.live,
        "release": live,
        "revision": next((release["revision"] for release in releases if release["number"] == live), None),
        "live_since": ran.get("since"),
        "held": held,
        "previous": _previous(releases, live),
        "processes": used.processes,
        "memory_mib": None if used.memory is None else round(used.memory / MIB, 1),
        "uptime": used.uptime,
        "outdated": list(slot.outdated),
        "releases": releases,
    }


def _word(live: str | None, slot: _run.Slot, asleep: bool, held: int | None) -> str:
    if live is None:
        return "absent" if held is None else "held"
    if not slot.stacks or not slot.answers:
        return "down"
    return "asleep" if asleep else "up"


def _previous(releases: Iterable[Mapping[str, Any]], live: int | None) -> int | None:
    """The newest release before the live one that has been live itself."""
    earlier = [
        release["number"] for release in releases if release["been_live"] and live is not None and release["number"] < live
    ]
    return max(earlier, default=None)


def table(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The entries as an aligned table, with a line that sums up. Pure."""
    rows = [COLUMNS, *(_cells(each) for each in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    states = [each["state"] for each in entries]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    marked = ["* is not in wsgi_apps; wsgi_prune: true removes it"] if not all(each["listed"] for each in entries) else []
    return [*lines, "", *marked, f"{len(entries)} app{'' if len(entries) == 1 else 's'}: {', '.join(counts) or 'none'}"]


def _cells(each: Mapping[str, Any]) -> tuple[str, ...]:
    days = each["certificate"]["days_left"] if each["certificate"] else None
    revision = str(each["revision"] or "-")
    return (
        each["app"] + ("" if each["listed"] else " *"),
        each["state"],
        str(each["stack"] or "-"),
        str(each["slot"] or "-"),
        _number(each["release"]),
        revision[:9] if COMMIT.fullmatch(revision) else revision,
        (each["live_since"] or "-").replace("T", " ").replace("Z", ""),
        _number(each["held"]),
        _number(each["previous"]),
        str(each["processes"]),
        _number(each["memory_mib"]),
        _duration(each["uptime"]),
        _left(days, bool(days is not None and each["certificate"]["late"])),
    )


def _left(days: int | None, late: bool) -> str:
    """How long a certificate is valid, and whether it should have been renewed by now."""
    if days is None:
        return "-"
    if days < 0:
        return "expired"
    return f"{days} day{'' if days == 1 else 's'}" + (", not renewed" if late else "")


def _number(value: float | None) -> str:
    return "-" if value is None else str(value)


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((place for place, (value, _unit) in enumerate(parts) if value), len(parts) - 1)
    return " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2] if value or unit == "s")
