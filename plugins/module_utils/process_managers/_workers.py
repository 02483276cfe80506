# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Workers and timers: systemd units beside the server of a slot, whatever runs that. Started, stopped and removed here."""

from __future__ import annotations

import contextlib
import glob
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils._layout import UNITS, Layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _read_only, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _worker_state, _worker_units
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import refusal
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release

_lock = threading.Lock()
"""One thread at a time has systemd read its files."""


def start(layout: Layout, slot: str, first_host: bool) -> None:
    """Have a slot's workers run, and no others, and wait until each that was started has stayed up for ``STAY_UP`` seconds.

    :raises StackError: one of them does not
    """
    release = _release.of_slot(layout, slot)
    texts = _worker_units.workers(layout, slot, release, first_host)
    unwanted = [path for path in _there(layout.worker_template("*", slot)) if path not in texts]
    for path in unwanted:
        pattern = os.path.basename(path).replace("@.", "@*.")
        _disable(_there(pattern, _worker_state.BOOT))
        run(["systemctl", "stop", pattern])
    _write(texts, unwanted)
    units = _worker_state.flat(_worker_units.processes(layout, slot, release, first_host))
    now, states = time.clock_gettime(time.CLOCK_MONOTONIC), _systemd.show(units, _worker_state.PROPERTIES)
    todo = [unit for unit, state in states.items() if not _worker_state.is_well(state, now)]
    if not todo:
        return
    run(["systemctl", "reset-failed", *todo])  # resets NRestarts
    began = time.time()
    done = run(["systemctl", "start", *todo])
    ended = "" if done.code else _first_to_end(todo)
    if not done.code and not ended:
        return
    state = _systemd.properties(ended, _worker_state.PROPERTIES) if ended else {}
    log = _systemd.journal([_systemd.written_by(unit) for unit in ([ended] if ended else todo)], began)
    cause = ended_early(ended, state, log) if ended else refusal(done, todo[0], log)
    raise StackError("workers", f"release {release['number']}: {cause}", log)


def _first_to_end(units: Sequence[str]) -> str:
    """The first unit that does not stay up, "" if all do."""
    deadline = time.monotonic() + _worker_state.STAY_UP
    while True:
        for unit, state in _systemd.show(units, _worker_state.PROPERTIES).items():
            if state.get("ActiveState") != "active" or state.get("NRestarts", "0") != "0":
                return unit
        if time.monotonic() > deadline:
            return ""
        time.sleep(0.5)


def ended_early(unit: str, state: Mapping[str, str], log: str) -> str:
    """What became of a worker that did not stay up. Pure."""
    worker = unit.partition(".")[2].rpartition("@")[0].rpartition("-")[0]
    status = state.get("ExecMainStatus", "0")
    end = f"exit code {status}" if state.get("ExecMainCode", "1") in ("0", "1") else f"signal {status}"
    line = decisive_line(log)
    said = f"its log says: {line.rstrip('.')}" if line else "it wrote nothing"
    known = "what ends by itself belongs into timers" if end == "exit code 0" else _read_only.fix(line)
    fix = known or "fix that and run the play again"
    return f"worker {worker} did not stay up for {_worker_state.STAY_UP} s, but ended with {end}; {said}; {fix}."


def stop_single(layout: Layout, slot: str) -> None:
    """Stop the workers of a slot of which there is only one process, and wait until they have exited."""
    singles = [name for name, worker in _worker_state.release_of(layout, slot).get("workers", {}).items() if worker["single"]]
    if singles and _there(layout.worker_template("*", slot)):
        run(["systemctl", "stop", *(layout.worker_unit(name, slot, 1) for name in singles)])


def resume(layout: Layout, slot: str, first_host: bool) -> None:
    """Start what ``stop_single`` has stopped, if the slot still has workers."""
    units = _worker_state.flat(_worker_units.processes(layout, slot, _worker_state.release_of(layout, slot), first_host))
    if units and _there(layout.worker_template("*", slot)):
        run(["systemctl", "start", *units])


def record(layout: Layout, slot: str, first_host: bool) -> None:
    """Have a slot's workers started at boot, and the app's timers start its jobs, now and after a boot.

    :raises StackError: systemd refuses one of the units
    """
    release = _release.of_slot(layout, slot)
    _disable(_there(layout.worker_units(_layout.other(slot)), _worker_state.BOOT))
    texts = _worker_units.timers(layout, slot, release, first_host)
    _remove_timers([path for path in _there(layout.timer_unit("*")) if path not in texts])
    idle = [path for path in _there(layout.job_unit("*", slot)) if path not in texts and not _runs(path)]
    if idle:  # or systemd would go on to list one that has failed
        run(["systemctl", "reset-failed", *map(os.path.basename, idle)])
    changed = _write(texts, idle)
    timers = [os.path.basename(path) for path in texts if path.endswith(".timer")]
    workers = _worker_state.flat(_worker_units.processes(layout, slot, release, first_host))
    links = {**dict.fromkeys(workers, _worker_state.BOOT), **dict.fromkeys(timers, _worker_state.TIMERS)}
    new = [unit for unit, at in links.items() if not os.path.lexists(os.path.join(at, unit))]
    start = ["systemctl", "restart" if changed else "start"]
    for units, command in ((new, _systemd.start_at_boot), (timers, lambda units: run([*start, *units]))):
        done = command(units) if units else None
        if done is not None and done.code:
            raise StackError("workers", refusal(done, units[0]))


def stop_soon(layout: Layout, slot: str) -> None:
    """Tell a slot's workers to finish what they do, without waiting for it."""
    if _there(layout.worker_template("*", slot)):
        run(["systemctl", "stop", "--no-block", layout.worker_units(slot)])


def stop(layout: Layout, slot: str, jobs: bool = False) -> None:
    """Stop a slot's workers, wait until they have exited, and remove their units.

    :param jobs: also the jobs that its timers have started; otherwise those that run go on, and keep their units
    """
    _disable(_there(layout.worker_units(slot), _worker_state.BOOT))
    templates, services = _there(layout.worker_template("*", slot)), _there(layout.job_unit("*", slot))
    workers, job = [layout.worker_units(slot)] if templates else [], [layout.job_unit("*", slot)] if services else []
    for command, patterns in (("stop", [*workers, *(job if jobs else [])]), ("reset-failed", [*workers, *job])):
        if patterns:
            run(["systemctl", command, *patterns])
    _write({}, [*templates, *(path for path in services if jobs or not _runs(path))])


def remove(layout: Layout) -> None:
    """Stop all workers, timers and jobs of an app, and remove their units."""
    _remove_timers(_there(layout.timer_unit("*")))
    for slot in _layout.SLOTS:
        stop(layout, slot, jobs=True)


def paths(layout: Layout) -> list[str]:
    """The files and links of an app's workers and timers."""
    units = [layout.timer_unit("*"), *(layout.job_unit("*", slot) for slot in _layout.SLOTS)]
    units += [layout.worker_template("*", slot) for slot in _layout.SLOTS]
    links = [
        (layout.timer_unit("*"), _worker_state.TIMERS),
        *((layout.worker_units(slot), _worker_state.BOOT) for slot in _layout.SLOTS),
    ]
    return [
        *(path for unit in units for path in _there(unit)),
        *(path for unit, directory in links for path in _there(unit, directory)),
        *sorted(glob.glob(layout.timer_stamp("*"))),
    ]


def _remove_timers(timers: Sequence[str]) -> None:
    """Stop timers, given by their paths, and forget when they elapsed."""
    if timers:
        names = [os.path.basename(path) for path in timers]
        run(["systemctl", "stop", *names])
        _systemd.start_at_boot(names, wanted=False)
        stamps = [f"{_layout.TIMER_STAMPS}/stamp-{os.path.basename(path)}" for path in timers]
        _write({}, [*timers, *stamps])


def _runs(path: str) -> bool:
    return _systemd.is_active(os.path.basename(path))


def _disable(links: Iterable[str]) -> None:
    """Have units, given by their links, no longer started at boot."""
    names = [os.path.basename(link) for link in links]
    if names:
        _systemd.start_at_boot(names, wanted=False)


def _write(texts: Mapping[str, str], obsolete: Iterable[str] = ()) -> bool:
    """Write units where they differ, remove others, and have systemd read them if that changed anything.

    :raises StackError: systemd does not; the files are as before then, so that the next run tries again
    """
    wanted: dict[str, _files.Item | None] = {path: _files.File(text) for path, text in texts.items()}
    wanted.update(dict.fromkeys(obsolete))
    before = {path: found for path, item in wanted.items() if (found := _files.read(path)) != item}
    for path in before:
        _put(path, wanted[path])
    if before:
        try:
            with _lock:
                _systemd.reload()
        except StackError:
            for path, item in before.items():
                _put(path, item)
            raise
    return bool(before)


def _put(path: str, item: _files.Item | None) -> None:
    """Write a file, or remove it."""
    if item is not None:
        _files.write(path, item)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _there(unit: str, directory: str = UNITS) -> list[str]:
    return sorted(glob.glob(f"{directory}/{unit}"))
