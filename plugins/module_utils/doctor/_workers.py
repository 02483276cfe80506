# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The workers and timers of apps that this collection deployed: no site shows whether they run."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from ansible_collections.wsgi.stack.plugins.module_utils._layout import UNITS
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _logs
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _worker_state

UNIT = re.compile(r"wsgi-([a-z][a-z0-9-]*)\.([a-z][a-z0-9_-]*)-(?:blue|green)(@[0-9]+)?\.service")


def look() -> list[Finding]:
    """The findings about all workers and jobs on this host."""
    # Workers are those that are started at boot. A pattern would leave out what is inactive.
    there = [*_worker_state.names(_worker_state.BOOT), *_worker_state.names(UNITS)]
    units = _systemd.show(filter(UNIT.fullmatch, there), _worker_state.PROPERTIES)
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    failing = {unit: what for unit, state in units.items() if (what := problem(unit, state, now))}
    logs = {unit: _systemd.journal([_systemd.written_by(unit)]) for unit in failing}
    return judge(failing, logs)


def problem(unit: str, state: Mapping[str, str], now: float) -> str:
    """What is wrong with a worker or a job, "" if nothing is. Pure.

    :param now: seconds, by the clock CLOCK_MONOTONIC
    """
    found = UNIT.fullmatch(unit)
    if not found:
        return ""
    app, name, process = found.groups()
    end = f"exit code {state['ExecMainStatus']}" if state.get("ExecMainCode") == "1" else f"result {state.get('Result')}"
    if not process:
        failed = state.get("ActiveState") == "failed"
        return f"The last job of the timer {name} of the app {app} failed ({end})." if failed else ""
    if _worker_state.is_well(state, now):
        return ""
    if state.get("ActiveState") == "inactive":
        return f"The worker {name} of the app {app} is not running."
    return f"The worker {name} of the app {app} keeps failing ({end}, {state.get('NRestarts', '0')} restarts so far)."


def judge(failing: Mapping[str, str], logs: Mapping[str, str]) -> list[Finding]:
    """The findings, one for each worker and timer. Pure.

    :param failing: what is wrong, by unit
    :param logs: what the units wrote
    """
    found: dict[str, Finding] = {}
    for unit, message in failing.items():
        evidence = _logs.shown(_logs.app_errors(logs[unit]))
        fix = f"systemctl start {unit}" if message.endswith("is not running.") else f"fix what the log says: journalctl -u {unit}"
        code = "worker_failing" if "@" in unit else "timer_failing"
        found.setdefault(message.partition(" (")[0], Finding(WARNING, code, message, (unit, *evidence), fix))
    return list(found.values())
