# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a host shows of the workers and timers of a slot."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._layout import UNITS, Layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _worker_units
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release

STAY_UP = 5
"""Seconds that a worker has to run before its release goes live."""

BOOT, TIMERS = f"{UNITS}/multi-user.target.wants", f"{UNITS}/timers.target.wants"

PROPERTIES = (
    *("ActiveState", "SubState", "Result", "NRestarts", "ActiveEnterTimestampMonotonic", "ExecMainCode", "ExecMainStatus"),
    *("NextElapseUSecRealtime", "LastTriggerUSec"),
)

Units = Mapping[str, Mapping[str, str]]
"""The ``PROPERTIES`` of units, by their names."""


@dataclass(frozen=True)
class Timer:
    """A timer of the live slot.

    :ivar next: when it elapses next, ``last`` when it last did, as systemd writes it; "" for never
    :ivar result: how its last job ended: ``success``, ``exit-code``, ``timeout``, ...; "" if it never ran since the boot
    """

    name: str
    next: str = ""
    last: str = ""
    result: str = ""


@dataclass(frozen=True)
class Workers:
    """The workers of a slot, and its timers.

    :ivar up: all that its release has for this host run, and no others
    :ivar recorded: they are started at boot, and the app's timers start the jobs of this slot
    :ivar there: something of them runs, is started at boot, or has a file
    :ivar counts: the name of each worker, how many processes of it run, and how many should
    """

    up: bool = True
    recorded: bool = True
    there: bool = False
    counts: tuple[tuple[str, int, int], ...] = ()
    timers: tuple[Timer, ...] = ()


def observe(apps: Sequence[tuple[Layout, bool | None]]) -> dict[tuple[str, str], Workers]:
    """The workers of each slot that has some, by the names of the app and the slot, with one call of systemctl for all.

    :param apps: each with whether this is the host for what runs on one host only; None if that is not known, and then what has
        a unit is as it should be
    """
    files, boot, timers = (frozenset(names(directory)) for directory in (UNITS, BOOT, TIMERS))
    # The names of our units of workers and timers begin with wsgi-APP.
    there = {name.partition(".")[0] for name in files | boot}
    observed = []
    for layout, first_host in apps:
        for slot in _layout.SLOTS:
            release = release_of(layout, slot)
            if f"wsgi-{layout.name}" in there or release.get("workers") or release.get("timers"):
                observed.append(_Observed(layout, slot, release, first_host, files, boot, timers))
    states = _systemd.show([unit for each in observed for unit in each.units()], PROPERTIES)
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    return {(each.layout.name, each.slot): each.judge(states, now) for each in observed}


@dataclass(frozen=True)
class _Observed:
    """A slot with workers or timers, and what is on the disk: units, and those that are started at boot."""

    layout: Layout
    slot: str
    release: Mapping[str, Any]
    first_host: bool | None
    files: frozenset[str]
    boot: frozenset[str]
    timers_at_boot: frozenset[str]

    def units(self) -> list[str]:
        """Whatever may run."""
        jobs = [self.layout.job_unit(name, self.slot) for name in self.release.get("timers", {})]
        return [*flat(self._processes(True)), *map(self.layout.timer_unit, self.release.get("timers", {})), *jobs]

    def _processes(self, first_host: bool) -> dict[str, list[str]]:
        return _worker_units.processes(self.layout, self.slot, self.release, first_host)

    def _wanted(self) -> dict[str, list[str]]:
        if self.first_host is not None:
            return self._processes(self.first_host)
        everything = self._processes(True)
        return {name: units for name, units in everything.items() if self.layout.worker_template(name, self.slot) in self.files}

    def judge(self, states: Units, now: float) -> Workers:
        """What there is of the slot.

        :param now: seconds, by the clock CLOCK_MONOTONIC
        """
        wanted, everything = self._wanted(), flat(self._processes(True))
        active = {unit for unit in everything if states.get(unit, {}).get("ActiveState") not in (None, "inactive", "failed")}
        well = {unit for unit in active if is_well(states[unit], now)}
        templates = _matching(self.files, self.layout.worker_template("*", self.slot))
        boot = _matching(self.boot, self.layout.worker_units(self.slot))
        needed = {self.layout.worker_template(name, self.slot) for name in wanted}
        return Workers(
            up=templates == needed and set(flat(wanted)) == active == well,
            recorded=boot == set(flat(wanted)) and self._timers_recorded(states),
            there=bool(templates or boot or active),
            counts=tuple((name, len(well & set(units)), len(units)) for name, units in wanted.items()),
            timers=tuple(self._timer(name, states) for name in self.release.get("timers", {}) if self._has(name)),
        )

    def _has(self, timer: str) -> bool:
        return self.layout.timer_unit(timer) in self.files and self.layout.job_unit(timer, self.slot) in self.files

    def _timers_recorded(self, states: Units) -> bool:
        if self.first_host is None:
            return True
        texts = _worker_units.timers(self.layout, self.slot, self.release, self.first_host)
        units = {name for name in map(os.path.basename, texts) if name.endswith(".timer")}
        return (
            _matching(self.files, self.layout.timer_unit("*")) == units
            and units <= self.timers_at_boot
            and all(states.get(unit, {}).get("ActiveState") == "active" for unit in units)
            and all(_files.text_of(path) == text for path, text in texts.items())
        )

    def _timer(self, name: str, states: Units) -> Timer:
        timer, job = (states.get(unit, {}) for unit in (self.layout.timer_unit(name), self.layout.job_unit(name, self.slot)))
        ran = job.get("ExecMainCode", "0") != "0" and job.get("ActiveState") != "active"
        soon, last = (timer.get(key, "").replace("n/a", "") for key in ("NextElapseUSecRealtime", "LastTriggerUSec"))
        return Timer(name, soon, last, job.get("Result", "") if ran else "")


def is_well(state: Mapping[str, str], now: float) -> bool:
    """Whether a process of a worker runs, or has ended well and is about to start again. Pure.

    :param now: seconds, by the clock CLOCK_MONOTONIC
    """
    if state.get("SubState", "").startswith("auto-restart"):
        return state.get("Result") == "success"
    age = now - int(state.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    # One that keeps failing is caught between two failures.
    return state.get("ActiveState") in ("active", "activating") and (state.get("NRestarts", "0") == "0" or age >= STAY_UP)


def release_of(layout: Layout, slot: str) -> dict[str, Any]:
    """The ``release.json`` of a slot's release, empty if it has none."""
    try:
        return _release.of_slot(layout, slot)
    except (OSError, ValueError):
        return {}


def names(directory: str) -> list[str]:
    """The names in a directory of systemd's units; none if it is not there."""
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _matching(names: Iterable[str], pattern: str) -> set[str]:
    return set(fnmatch.filter(names, pattern))


def flat(processes: Mapping[str, Sequence[str]]) -> list[str]:
    """The units of all workers."""
    return [unit for units in processes.values() for unit in units]
