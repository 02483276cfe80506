# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The state of the services behind the sockets: systemd units and supervisor programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "UnitFileState",
    "NeedDaemonReload",
    "FragmentPath",
    "DropInPaths",
    "EnvironmentFiles",
    "ExecStart",
    "WorkingDirectory",
    "User",
    "MainPID",
    "InvocationID",
    "TriggeredBy",
    "WantedBy",
    "RequiredBy",
)
TIMEOUT = 15  # seconds
RESTARTS = 3
"""Restarts from which on a unit that has not run for long counts as restarting in a loop."""

STABLE_SECONDS = 300
"""A service that has run for so long is not restarting in a loop."""

Unit = Mapping[str, str]


def show(units: Iterable[str]) -> dict[str, dict[str, str]]:
    """The properties of units by name, with one call of systemctl."""
    return _systemd.show(units, PROPERTIES)


def command(unit: Unit) -> list[str]:
    """The words of a unit's command. Words that contain blanks are split, as ``systemctl show`` does not quote them. Pure."""
    match = re.search(r"argv\[\]=(.*?) ; ", unit.get("ExecStart", ""))
    return match[1].split() if match else []


def directory(unit: Unit) -> str:
    """The working directory of a unit, "" if it is not set. Pure."""
    path = unit.get("WorkingDirectory", "").lstrip("!-")
    return path if path.startswith("/") else ""


def files(unit: Unit) -> list[str]:
    """The unit file, its drop-ins and environment files. Pure."""
    environment = re.findall(r"(/\S+) \(ignore_errors=", unit.get("EnvironmentFiles", ""))
    return [path for path in [unit.get("FragmentPath", ""), *unit.get("DropInPaths", "").split(), *environment] if path]


def judge(unit: Unit, address: str, served: bool, age: float, log: Sequence[str]) -> list[Finding]:
    """Judge the unit of a server. Pure.

    :param unit: its properties
    :param address: the address of the server
    :param served: whether a process listens there
    :param age: seconds since that process started
    :param log: the last errors in the unit's log
    """
    name = unit["Id"]
    short = shlex.quote(name.removesuffix(".service"))
    found = []
    restarts = int(unit.get("NRestarts") or 0)
    state = f"{name}: {unit.get('ActiveState')} ({unit.get('SubState')}), Result={unit.get('Result')}, NRestarts={restarts}"
    look = f"fix what the log says (journalctl -u {short} -n 50), then: systemctl restart {short}"
    again = unit.get("SubState") == "auto-restart" or (restarts >= RESTARTS and age < STABLE_SECONDS)
    if again and unit.get("ActiveState") != "failed":
        message = f"{name}, which should listen on {address}, keeps restarting ({restarts} restarts so far)."
        found.append(Finding(WARNING if served else BROKEN, "unit_restarting", message, (state, *log), look))
    elif not served and unit.get("LoadState") == "loaded":
        if unit.get("ActiveState") == "failed":
            message = f"{name}, which should listen on {address}, has failed ({unit.get('Result')})."
            found.append(Finding(BROKEN, "unit_failed", message, (state, *log), look))
        elif unit.get("ActiveState") == "inactive":
            message = f"{name}, which should listen on {address}, is not running."
            found.append(Finding(BROKEN, "unit_stopped", message, (state, *log), f"systemctl start {short}"))
    if unit.get("NeedDaemonReload") == "yes":
        message = f"The unit file of {name} has changed, but systemd has not reloaded it."
        fix = f"systemctl daemon-reload && systemctl restart {short}"
        found.append(Finding(WARNING, "unit_changed", message, (unit.get("FragmentPath", ""),), fix))
    wanted = [unit.get(key, "") for key in ("TriggeredBy", "WantedBy", "RequiredBy")]
    if served and unit.get("UnitFileState") == "disabled" and unit.get("ActiveState") == "active" and not any(wanted):
        message = f"{name} is running but not enabled: nothing will listen on {address} after a reboot."
        found.append(Finding(WARNING, "unit_not_enabled", message, ("UnitFileState=disabled",), f"systemctl enable {short}"))
    return found


def program(name: str) -> tuple[str, str]:
    """The state of a supervisor program (``RUNNING``, ``FATAL``, ..., "" if unknown), and the line of supervisorctl."""
    line = run(["supervisorctl", "status", name], timeout=TIMEOUT).output.strip()
    match = re.match(r"\S+\s+(STOPPED|STARTING|RUNNING|BACKOFF|STOPPING|EXITED|FATAL|UNKNOWN)\b", line)
    return (match[1], line) if match else ("", line)


def judge_program(name: str, state: tuple[str, str], address: str, served: bool, log: Sequence[str]) -> list[Finding]:
    """Judge a supervisor program. Pure.

    :param state: see ``program``
    :param served: whether a process listens on the address
    """
    word, line = state
    if served or word in ("", "RUNNING"):
        return []
    message = f"The supervisor program {name}, which should listen on {address}, is {word}."
    fix = f"supervisorctl start {shlex.quote(name)}"
    if word != "STOPPED":
        fix = f"fix what the log says (supervisorctl tail {shlex.quote(name)} stderr), then: {fix}"
    return [Finding(BROKEN, "program_stopped", message, (line, *log), fix)]
