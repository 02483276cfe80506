# SPDX-License-Identifier: GPL-3.0-or-later
"""How it stands with the services behind the sockets: units of systemd, programs of supervisor."""

from __future__ import annotations

import re
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
"""How often a unit has to have been started anew, without having run for long, to count as one that does not come up."""

SETTLED = 300  # seconds
"""A service that has run for so long has come up."""

Unit = Mapping[str, str]


def show(units: Iterable[str]) -> dict[str, dict[str, str]]:
    """The properties of units, by their names, with one call of systemctl."""
    return _systemd.show(units, PROPERTIES)


def command(unit: Unit) -> list[str]:
    """The words of the command that a unit starts, as far as systemctl tells them apart. Pure."""
    match = re.search(r"argv\[\]=(.*?) ; ", unit.get("ExecStart", ""))
    return match[1].split() if match else []


def directory(unit: Unit) -> str:
    """Where a unit's command runs. Pure."""
    path = unit.get("WorkingDirectory", "").lstrip("!-")
    return path if path.startswith("/") else ""


def files(unit: Unit) -> list[str]:
    """The files that a unit is made of. Pure."""
    environment = re.findall(r"(/\S+) \(ignore_errors=", unit.get("EnvironmentFiles", ""))
    return [path for path in [unit.get("FragmentPath", ""), *unit.get("DropInPaths", "").split(), *environment] if path]


def judge(unit: Unit, address: str, served: bool, age: float, log: Sequence[str]) -> list[Finding]:
    """What is wrong with the unit of a server. Pure.

    :param unit: its properties
    :param address: what the server listens on
    :param served: whether somebody listens there
    :param age: seconds that the process which listens there has run
    :param log: the last lines that matter of the unit's
    """
    name = unit["Id"]
    short = name[: -len(".service")] if name.endswith(".service") else name
    found = []
    restarts = int(unit.get("NRestarts") or 0)
    state = f"{name}: {unit.get('ActiveState')} ({unit.get('SubState')}), Result={unit.get('Result')}, NRestarts={restarts}"
    look = f"fix what the log says (journalctl -u {short} -n 50), then: systemctl restart {short}"
    again = unit.get("SubState") == "auto-restart" or (restarts >= RESTARTS and age < SETTLED)
    if again and unit.get("ActiveState") != "failed":
        message = f"{name}, which is to listen on {address}, ends and is started again, {restarts} times so far."
        found.append(Finding(WARNING if served else BROKEN, "unit_restarting", message, (state, *log), look))
    elif not served and unit.get("LoadState") == "loaded":
        if unit.get("ActiveState") == "failed":
            message = f"{name}, which is to listen on {address}, has failed ({unit.get('Result')})."
            found.append(Finding(BROKEN, "unit_failed", message, (state, *log), look))
        elif unit.get("ActiveState") == "inactive":
            message = f"{name}, which is to listen on {address}, does not run."
            found.append(Finding(BROKEN, "unit_stopped", message, (state, *log), f"systemctl start {short}"))
    if unit.get("NeedDaemonReload") == "yes":
        message = f"The file of {name} was changed, and systemd has not read it since."
        fix = f"systemctl daemon-reload && systemctl restart {short}"
        found.append(Finding(WARNING, "unit_changed", message, (unit.get("FragmentPath", ""),), fix))
    wanted = [unit.get(key, "") for key in ("TriggeredBy", "WantedBy", "RequiredBy")]
    if served and unit.get("UnitFileState") == "disabled" and unit.get("ActiveState") == "active" and not any(wanted):
        message = f"{name} runs and is not enabled: nobody listens on {address} after the next boot."
        found.append(Finding(WARNING, "unit_not_enabled", message, ("UnitFileState=disabled",), f"systemctl enable {short}"))
    return found


def program(name: str) -> tuple[str, str]:
    """The state of a program of supervisor (``RUNNING``, ``FATAL``, ...) and the whole line; "" if it cannot be known."""
    line = run(["supervisorctl", "status", name], timeout=TIMEOUT).output.strip()
    match = re.match(r"\S+\s+(STOPPED|STARTING|RUNNING|BACKOFF|STOPPING|EXITED|FATAL|UNKNOWN)\b", line)
    return (match[1], line) if match else ("", line)


def judge_program(name: str, state: tuple[str, str], address: str, served: bool, log: Sequence[str]) -> list[Finding]:
    """What is wrong with a program of supervisor. Pure."""
    word, line = state
    if served or word in ("", "RUNNING"):
        return []
    message = f"Supervisor's program {name}, which is to listen on {address}, is {word}."
    fix = f"supervisorctl start {name}"
    if word != "STOPPED":
        fix = f"fix what the log says (supervisorctl tail {name} stderr), then: {fix}"
    return [Finding(BROKEN, "program_stopped", message, (line, *log), fix)]
