# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The state of the services behind the sockets: systemd units and supervisor programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd, _untrusted

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
    "Triggers",
    "WantedBy",
    "RequiredBy",
    "Requires",
    "Requisite",
    "BindsTo",
    "Type",
    "Group",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecStartPre",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "LoadError",
    "RuntimeDirectory",
    "RuntimeDirectoryPreserve",
    "ControlGroup",
    *_cause_sandbox.PROPERTIES,
)
WANTED_BY = re.compile(r"^(?:WantedBy|RequiredBy)[ \t]*=.*", re.MULTILINE)

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
    own = [unit.get("FragmentPath", ""), *unit.get("DropInPaths", "").split()]
    return [path for path in [*own, *environment_files(unit)] if path]


def environment_files(unit: Unit) -> list[str]:
    """The environment files of a unit. Pure."""
    return re.findall(r"(/\S+) \(ignore_errors=", unit.get("EnvironmentFiles", ""))


def defined_in(unit: Unit, name: str) -> str:
    """The file that has the last say on a setting of a unit, its unit file if none names it."""
    places = [path for path in [unit.get("FragmentPath", ""), *unit.get("DropInPaths", "").split()] if path]
    naming = [path for path in places if re.search(rf"^{name}[ \t]*=", _untrusted.configuration(path), re.MULTILINE)]
    return next(iter([*reversed(naming), *places]), "its unit file")


def keeps_restarting(unit: Unit, age: float) -> bool:
    """Whether a unit ends again and again. Pure.

    :param age: seconds since its process started
    """
    return unit.get("SubState") == "auto-restart" or (int(unit.get("NRestarts") or 0) >= RESTARTS and age < STABLE_SECONDS)


def judge(
    unit: Unit, address: str, served: bool, age: float, log: Sequence[str], why: Why | None = None, answers: bool = True
) -> list[Finding]:
    """Judge the unit of a server. Pure.

    :param unit: its properties
    :param address: the address of the server
    :param served: whether a process listens there
    :param age: seconds since that process started
    :param log: the last errors in the unit's log
    :param why: why it does not run, None if that is not known
    :param answers: whether the process that listens gives a good answer
    """
    name = unit["Id"]
    short = shlex.quote(name.removesuffix(".service"))
    found = []
    restarts = int(unit.get("NRestarts") or 0)
    state = f"{name}: {unit.get('ActiveState')} ({unit.get('SubState')}), Result={unit.get('Result')}, NRestarts={restarts}"
    because = f": {why.text}" if why else ""
    look = then(f"Correct what its log says (journalctl -u {short} -n 50)", f"systemctl restart {short}")
    fix, quick = (why.fix, why.quick_fix) if why else (look, "")
    seen = (state, *(why.evidence if why else ()), *log)

    def broken(code: str, what: str, fix: str, severity: str = BROKEN) -> Finding:
        message = f"{name}, which should listen on {address}, {what}{because}."
        return Finding(severity, (why.code if why else "") or code, message, seen, fix, quick_fix=quick)

    if keeps_restarting(unit, age) and unit.get("ActiveState") != "failed":
        severity = WARNING if served and answers else BROKEN
        found.append(broken("unit_restarting", f"keeps restarting ({restarts} restarts so far)", fix, severity))
    elif not served and unit.get("LoadState") != "loaded":
        found += [broken("unit_failed", "cannot be started", fix)] if why else []
    elif not served and unit.get("ActiveState") == "failed":
        found.append(broken("unit_failed", f"has failed ({unit.get('Result')})", fix))
    elif not served and unit.get("ActiveState") == "activating":
        found.append(broken("unit_starting", "has not finished its start", fix))
    elif not served and unit.get("ActiveState") == "inactive":
        found.append(broken("unit_stopped", "is not running", why.fix if why else _start(unit, short)))
    elif not served and unit.get("SubState") == "exited":
        found.append(
            broken("unit_exited", "has ended, though systemd has it as active", why.fix if why else f"systemctl restart {short}")
        )
    elif not served and why:
        found.append(broken("unit_failed", "is running, but does not", fix))
    if unit.get("NeedDaemonReload") == "yes":
        message = f"The unit file of {name} has changed, but systemd has not reloaded it."
        fix = f"systemctl daemon-reload && systemctl restart {short}"
        found.append(Finding(WARNING, "unit_changed", message, (unit.get("FragmentPath", ""),), fix))
    if served and unit.get("ActiveState") == "active" and not _is_wanted(unit):
        rest = f"nothing will listen on {address} after a reboot."
        if unit.get("UnitFileState") == "disabled":
            message = f"{name} is running but not enabled: {rest}"
            found.append(Finding(WARNING, "unit_not_enabled", message, ("UnitFileState=disabled",), f"systemctl enable {short}"))
        elif _enabled_for(unit):
            message = f"{name} is enabled for a target that is not reached at boot: {rest}"
            found.append(Finding(WARNING, "unit_not_enabled", message, _enabled_for(unit), _for_boot(short)))
    return found


def _start(unit: Unit, short: str) -> str:
    """The command that starts a unit, and has it started at boot if nothing else starts it."""
    if _is_wanted(unit):
        return f"systemctl start {short}"
    if _enabled_for(unit):
        return f"{_for_boot(short)} && systemctl start {short}"
    return f"systemctl {'enable --now' if unit.get('UnitFileState') == 'disabled' else 'start'} {short}"


def _is_wanted(unit: Unit) -> bool:
    """Whether another unit that systemd knows starts this one. It does not know a target that is not reached at boot."""
    return any(unit.get(key) for key in ("TriggeredBy", "WantedBy", "RequiredBy"))


def _enabled_for(unit: Unit) -> tuple[str, ...]:
    """The lines by which a unit is enabled, none if it is not."""
    if unit.get("UnitFileState") != "enabled":
        return ()
    return tuple(WANTED_BY.findall(_untrusted.configuration(unit.get("FragmentPath", ""))))


def _for_boot(short: str) -> str:
    return f"systemctl add-wants multi-user.target {short}.service"
