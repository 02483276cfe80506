# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The status of the apps on a host: what is live, since when, what it consumes, and what a rollback could restore.

``examine`` reads the host, with one call to each process manager for all apps. ``entry`` is pure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _found
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _health, _state
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._health import HealthRequest
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import Instances, ObservedApp, Slot, State
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites

MIB = 1024 * 1024  # bytes


@dataclass(frozen=True)
class Usage:
    """What a slot's processes consume.

    :ivar memory: bytes; shared pages are divided among the processes that share them (PSS, see proc_pid_smaps(5)); None if the
        kernel does not say
    :ivar uptime: seconds since the first of them started
    """

    processes: int = 0
    memory: int | None = None
    uptime: int | None = None


@dataclass(frozen=True)
class Records:
    """What an app's directory says of its releases.

    :ivar releases: those on the host, ascending, each with ``number``, ``stack``, ``revision`` and ``made``
    :ivar history: the releases that went live, the last one last, each with ``number``, ``stack`` and ``since``
    """

    releases: tuple[dict[str, Any], ...] = ()
    history: tuple[dict[str, Any], ...] = field(default=())


def examine(
    apps: Sequence[App], directory: str, runtime_directory: str, nginx_user: str, scope: _record.Scope
) -> list[dict[str, Any]]:
    """The status of the apps on the host that are in scope, those of the inventory first.

    :param apps: the resolved apps of the inventory
    :param directory: the root of builds, releases and data
    :param runtime_directory: the root of the sockets
    :param nginx_user: the user that sends the health checks
    :param scope: the list that the apps are, and those of them that this is about
    :raises StackError: an app belongs to another list
    :returns: an ``entry`` each, with ``certificate`` and ``listed``
    """
    scope.record.refuse_foreign((app["name"] for app in apps), str(scope.list))
    listed = {app["name"] for app in apps}
    apps = [app for app in apps if scope.has(app["name"])]
    there = _found.found(directory, runtime_directory)
    unlisted = sorted(name for name in there - listed if scope.has(name))
    sites = MemoryFile("nginx").read().notes
    # Whatever an app answers that is in no inventory, it answers.
    everyone = [
        *(replace(ObservedApp.of(app), request=visited(app, sites.get(app["name"], {}))) for app in apps),
        *(ObservedApp(_layout.Layout(name, directory, runtime_directory)) for name in unlisted),
    ]
    instances = _state.instances([app.layout for app in everyone])
    states = _state.observe(everyone, nginx_user, instances)
    processes = _processes.all_processes()
    certificates = _certificates(apps)
    entries = []
    for app in everyone:
        name = app.layout.name
        pid = _live_instance(app.layout, states[name], instances).pid
        shown = entry(name, states[name], records(app.layout), usage(pid, processes))
        entries.append({**shown, "certificate": certificates.get(name), "listed": name in listed})
    return entries


def visited(app: App, served: Mapping[str, Any]) -> HealthRequest:
    """The health check of an app by its present name and mount, which the inventory may be about to change. Pure.

    :param served: what nginx was last loaded with, see ``nginx._files.SERVED``; empty if that is not known
    """
    present = {**app, **{key: served[key] for key in ("domains", "canonical_domain", "tls") if key in served}}
    request = _health.request(cast(App, present))
    mount, wanted = (each.rstrip("/") for each in (served.get("mount", app["mount"]), app["mount"]))
    return replace(request, path=mount + request.path[len(wanted) :])


def _live_instance(layout: _layout.Layout, state: State, instances: Instances) -> Instance:
    if state.live is None:
        return Instance()
    name = layout.instance(state.live)
    return next((states[name] for states in instances.values() if states[name].active), Instance())


def records(layout: _layout.Layout) -> Records:
    """The releases of an app on this host, and its history."""
    found = []
    for number in _release.numbers(layout.releases):
        try:
            note = _release.read(layout, number)
            made = os.stat(os.path.join(layout.release(number), "release.json")).st_mtime
        except (OSError, ValueError):
            continue  # incomplete, or removed meanwhile
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made))
        found.append({"number": number, "stack": note.get("stack"), "revision": note.get("revision"), "made": since})
    lived = [{"number": number, "stack": stack, "since": since} for number, stack, since in _release.history(layout)]
    return Records(tuple(found), tuple(lived))


def usage(pid: int, processes: Mapping[_processes.Process, int]) -> Usage:
    """What a process and its descendants consume.

    :param pid: 0 for none
    :param processes: see ``host._processes.all_processes``
    """
    family = _processes.with_descendants([pid], dict(processes)) if pid else set()
    if not family:
        return Usage()
    sizes = [_processes.memory(member) for member, _start in family]
    began = min(start for _member, start in family) / os.sysconf("SC_CLK_TCK")
    memory = None if None in sizes else sum(size for size in sizes if size is not None)
    return Usage(len(family), memory, max(0, int(time.clock_gettime(time.CLOCK_BOOTTIME) - began)))


def _certificates(apps: Sequence[App]) -> dict[str, dict[str, Any]]:
    """The certificate of each app's first site that has one."""
    found: dict[str, dict[str, Any]] = {}
    now = time.time()
    for site in _sites.sites(apps):
        certificate = _presented.look(site["name"]).certificate
        if certificate is not None:
            for name in site["apps"]:
                found.setdefault(name, {**certificate.result(now), "late": certificate.ends - now < certificate.margin})
    return found


def entry(name: str, state: State, kept: Records, used: Usage) -> dict[str, Any]:
    """The status of one app, see the results of the module ``status_info``. Pure.

    :param kept: its releases
    :param used: what its live slot consumes
    """
    slot = state.slots[state.live] if state.live else Slot()
    live = (slot.release if slot.stacks else None) or (state.current if state.live else None)
    been = {line["number"] for line in kept.history} | ({live} if live is not None else set())
    # The one that it last ran under: the uWSGI stacks share their releases.
    stacks = {line["number"]: line["stack"] for line in kept.history}
    releases = [
        {**release, "stack": stacks.get(release["number"]) or release["stack"], "been_live": release["number"] in been}
        for release in kept.releases
    ]
    staged = state.slots[state.preview].release if state.preview and state.preview != state.live else None
    ran = next((line for line in reversed(kept.history) if line["number"] == live), {})
    return {
        "app": name,
        "state": _word(state.live, slot, staged),
        "stack": next(iter(slot.stacks), ran.get("stack")),
        "slot": state.live,
        "release": live,
        "revision": next((release["revision"] for release in releases if release["number"] == live), None),
        "live_since": ran.get("since"),
        "staged": staged,
        "previous": _previous(kept, live),
        "processes": used.processes,
        "memory_mib": None if used.memory is None else round(used.memory / MIB, 1),
        "uptime": used.uptime,
        "outdated": list(slot.outdated),
        "workers": [{"name": worker, "running": running, "count": count} for worker, running, count in slot.workers.counts],
        "timers": [vars(timer) for timer in slot.workers.timers],
        "releases": releases,
    }


def _word(live: str | None, slot: Slot, staged: int | None) -> str:
    if live is None:
        return "absent" if staged is None else "staged"
    if not slot.stacks or not slot.answers:
        return "down"
    return "asleep" if slot.asleep else "up"


def _previous(kept: Records, live: int | None) -> int | None:
    """The release that was live last of those that are older than the live one.

    One that was rolled back, and is older, too, was live before the release that it was rolled back to.
    """
    there = {release["number"] for release in kept.releases}
    earlier = [line["number"] for line in kept.history if line["number"] in there and line["number"] < (live or 0)]
    return earlier[-1] if earlier else None
