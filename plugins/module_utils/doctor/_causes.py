# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why an address is not served as it should be: the cause, before what it looks like from nginx."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _advice,
    _app_logs,
    _cause_directory,
    _cause_program,
    _cause_sandbox,
    _cause_socket,
    _cause_unit,
    _cause_unread,
    _cause_user_unit,
    _cause_vassal,
    _command_check,
    _log_causes,
    _log_lines,
    _logs,
    _occupants,
    _units,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._app_logs import AppLog
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import DAEMON, Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_programs, _starter_vassals, _starters
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _edit
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner

JUST_STARTED = 10.0
"""Seconds: longer than one examination of all apps takes."""


UNANSWERED = ("refused", "closed", "no_answer", "connect_timeout")
"""How an address answers behind which no server does its work."""


@dataclass(frozen=True)
class Served:
    """What is known of the server of an address.

    :ivar path: of a unix socket without symlinks, or ``host:port``
    :ivar code: how it answered nginx' user, a code of ``socket_access_info``
    :ivar listened: something listens there
    :ivar process: the server, running or as it is configured
    :ivar unit: the properties of its unit
    :ivar lines: the last errors in its log
    :ivar unused: the listeners among all of the host that nginx passes nothing to
    """

    address: str
    path: str
    site: str
    code: str
    listened: bool
    process: ServerProcess | None
    unit: Mapping[str, str]
    unit_name: str
    owner: Owner | None
    log: AppLog
    lines: tuple[str, ...]
    restart: str
    listener: Listener | None = None
    outlived: tuple[Listener, ...] = ()
    listeners: tuple[Listener, ...] = ()
    unused: tuple[Listener, ...] = ()

    @property
    def pid(self) -> int:
        """The process, 0 if it does not run."""
        return self.process.pid if self.process else 0

    @property
    def is_well(self) -> bool:
        """Whether it answers."""
        return self.code in ("ok", "not_checked", "")

    @property
    def keeps_restarting(self) -> bool:
        """Whether its unit ends again and again."""
        return _units.keeps_restarting(self.unit, _age(self.process))


def _age(process: ServerProcess | None) -> float:
    """Seconds since a process started, 0 if it does not run."""
    return time.time() - process.started if process and process.started else 0.0


def judge(served: Served, host: HostCatalog) -> list[Finding]:
    """The causes, the first one first."""
    fails = _comes_and_goes(served, host)
    if fails:
        served = replace(served, listened=False)
    # What was started since supervisord was asked is not known to it, and still belongs to it.
    found = [] if fails and served.process and time.time() - served.process.started < JUST_STARTED else _who(served, host)
    beside = _beside(served)
    if beside:
        return [*found, beside]
    shared = _shared_directory(served, host)
    sockets = _sockets_of_systemd(served, host)
    if sockets:
        found += sockets
    elif shared:
        found.append(shared)
    elif not served.listened:
        found += _not_started(served, host)
    elif served.owner and served.owner.user:
        found += _of_user(served)
    elif served.unit and served.unit_name.endswith(".service") and not (served.owner and served.owner.program):
        found += _unit(served)
    elif served.owner and served.owner.program:
        found += _program(served, host)
    if served.listened and not served.is_well and all(finding.code != "unit_restarting" for finding in found):
        found += _answers_badly(served)
    if served.pid:
        since_start = _log_causes.of_this_run(served.log.text)
        file = next(iter(served.process.files), "") if served.process else ""
        lines = _log_lines.of_app(since_start, file or served.unit.get("FragmentPath", ""), served.restart, served.log.where)
        found += [_with_command(finding, file, served.restart) for finding in lines]
    taken = next((finding for finding in found if finding.code == "address_taken"), None)
    if taken:  # the unit cannot start before that has ended
        found = [replace(finding, fix=taken.fix) if finding.code == "unit_restarting" else finding for finding in found]
    return list(dict.fromkeys(found))


def _comes_and_goes(served: Served, host: HostCatalog) -> bool:
    """Whether what was seen to listen is a program that ends, and that supervisor starts again.

    gunicorn listens before it imports the app, so a program that fails can be seen at one moment and be gone at the next.
    """
    if served.owner is None or not served.owner.program:
        return False
    state = host.supervisor.states.get(served.owner.program)
    failing = state is not None and state.state in _cause_program.ENDED
    return served.code == "refused" or (failing and served.code in ("missing", "closed"))


def _with_command(finding: Finding, file: str, restart: str) -> Finding:
    """The finding with a command as its fix, if one does."""
    edit = _edit.set_option(file, "buffer-size", "32768") if finding.code == "request_too_large" and file and restart else ""
    return replace(finding, fix=f"{edit} && {restart}") if edit else finding


def _who(served: Served, host: HostCatalog) -> list[Finding]:
    """Whether the right one serves the address."""
    process = served.process
    if process is None or not process.pid:
        return []
    named = host.catalog.naming(served.path)
    owner = served.owner
    states = _units.show(each.starter.unit for each in named[:5] if not each.starter.program)
    by_hand = "" if process.program else _occupants.where_started(process.pid)
    origin = f"was started by hand, in {by_hand}" if by_hand else ""
    if owner and owner.program and host.supervisor.answers and not _starter_programs.of_process(process.pid, host.supervisor):
        state = host.supervisor.states.get(owner.program)
        origin = origin or (_occupants.LEFT_OVER if state and state.state != "RUNNING" else "")
    runs = "" if origin else (owner.program or owner.vassal or owner.unit) if owner else served.unit_name
    found = _occupants.judge(_occupants.Occupant(process, origin), served.address, named, states, runs)
    return found + _occupants.judge_outlived(served.address, process, served.outlived)


def _setup(served: Served, again: str = "") -> _advice.Setup:
    process = served.process or ServerProcess()
    return _advice.Setup(
        again=again or served.restart,
        where=served.log.where,
        environment=process.environment,
        directory=process.directory,
        module=process.module,
        files=process.files,
        environment_files=_units.environment_files(served.unit),
        unit=served.unit_name if served.owner and not (served.owner.program or served.owner.vassal or served.owner.user) else "",
    )


def _of_log(served: Served, again: str = "") -> Why | None:
    cause = _log_causes.last_cause(_log_causes.of_this_run(served.log.text))
    # What ends and is started again and again may have begun a moment ago.
    if cause is None and (not served.listened or served.keeps_restarting):
        cause = _log_causes.last_cause(_log_causes.of_run_before(served.log.text))
    return _advice.of_log(cause, _setup(served, again)) if cause else None


def _not_started(served: Served, host: HostCatalog) -> list[Finding]:
    """Why nothing listens."""
    owner = served.owner
    if owner is None:
        dangling = _cause_vassal.judge_dangling(host.catalog.starters, served.path, served.site)
        return dangling or _cause_unread.judge(served.path, host.catalog.starters) or _elsewhere(served)
    if owner.user:
        return _of_user(served)
    if owner.program:
        return _program(served, host)
    found = []
    if owner.vassal:
        state = served.unit.get("ActiveState")
        # Debian's unit fails if one of its apps does.
        active = state == "active" or (state == "failed" and owner.unit == _starter_vassals.DEBIAN_UNIT)
        found = _cause_vassal.judge(
            owner.unit, owner.vassal, served.address, active, _tyrant(owner.unit, host), _of_log(served), served.lines
        )
    if found:
        return found
    return _unit(served)


def _shared_directory(served: Served, host: HostCatalog) -> Finding | None:
    """Whether another unit took the socket of a server that runs with it, as it stopped."""
    if served.code not in ("missing", "refused") or served.unit.get("ActiveState") != "active" or not served.path.startswith("/"):
        return None
    others = [each.unit for each in host.catalog.starters if not (each.listens or each.user or each.program or each.vassal)]
    return _cause_directory.shared(served.unit, served.path, others)


def _tyrant(unit: str, host: HostCatalog) -> bool:
    texts = [text for each in host.catalog.starters if each.unit == unit and not each.vassal for text in each.texts]
    return _starter_vassals.is_tyrant(texts)


def _unit(served: Served) -> list[Finding]:
    unit = served.unit
    if not unit or not served.unit_name.endswith(".service"):
        return []
    why: Why | None = None
    shaky = unit.get("SubState") == "auto-restart" or unit.get("ActiveState") in ("failed", "activating", "inactive")
    if not served.listened or shaky or served.keeps_restarting:
        again = _cause_unit.again(unit)
        failed = unit.get("ActiveState") != "inactive" or unit.get("Result") not in ("success", "", None)
        why = _cause_unit.why(unit, _setup(served, again)) or _daemon(served, again)
        if why is None and failed:
            why = _sandbox(served) or _directory(served, again) or _of_log(served, again)
    answers = served.code not in UNANSWERED
    return _units.judge(unit, served.address, served.listened, _age(served.process), served.lines, why, answers)


def _daemon(served: Served, again: str) -> Why | None:
    """Whether the server goes to the background, where what supervises it does not expect that."""
    process = served.process
    supervised = bool(served.owner and served.owner.program) or served.unit.get("Type") in ("simple", "exec", "notify")
    if process is None or not process.daemon or not supervised or served.listened:
        return None
    where = process.files[0] if process.files else "its command"
    what = f"Remove the option daemon or daemonize from {where}"
    if process.command.endswith(" &"):
        what = "Write exec before its command in the script, and remove the ampersand after it"
    return replace(DAEMON, fix=then(what, again))


def _sockets_of_systemd(served: Served, host: HostCatalog) -> list[Finding]:
    """Why the .socket of systemd that names an address does not listen there."""
    if served.owner and (served.owner.program or served.owner.vassal or served.owner.user):
        return []  # a template of a .socket names the address of every app
    name = next((each.starter.unit for each in host.catalog.naming(served.path) if each.starter.listens), "")
    if served.is_well or not name or any(each.starter.user for each in host.catalog.naming(served.path)):
        return []
    socket = _units.show([name]).get(name, {})
    service_name = next(iter(socket.get("Triggers", "").split()), "")
    service = _units.show([service_name]).get(service_name, {}) if service_name else {}
    if not service:
        return []
    log = _app_logs.of_unit(service_name, service.get("InvocationID", ""), 0.0)
    setup = _advice.Setup(again=_cause_unit.again(service), where=log.where, unit=service_name)
    cause = _log_causes.last_cause(_log_causes.of_this_run(log.text))
    why = _cause_unit.why(service, setup) or (_advice.of_log(cause, setup) if cause else None)
    return _cause_socket.judge(socket, service, served.address, why, served.lines)


def _sandbox(served: Served) -> Why | None:
    """What the server's own unit forbids it."""
    owner = served.owner
    if served.listened or (owner and (owner.program or owner.vassal or owner.user)):
        return None
    who = _command_check.identity_of(served.unit.get("User", ""), served.unit.get("Group", ""))
    return _cause_sandbox.why_no_socket(served.unit, served.path, who.uid) if who else None


def _directory(served: Served, again: str) -> Why | None:
    if served.listened or not served.path.startswith("/"):
        return None
    return _cause_directory.why(served.path, served.unit.get("User", ""), served.unit.get("Group", ""), served.unit, again)


def _of_user(served: Served) -> list[Finding]:
    owner = served.owner
    if owner is None:
        return []
    lingering, managed = _cause_user_unit.lingers(owner.user), _cause_user_unit.manager_runs(owner.user)
    return _cause_user_unit.judge(owner, served.address, served.listened, lingering, managed, _of_log(served), served.lines)


def _program(served: Served, host: HostCatalog) -> list[Finding]:
    name = served.owner.program if served.owner else ""
    program = host.supervisor.programs.get(name)
    again = _cause_program.again(name, program)
    why = None
    if not served.listened:
        user = program.options.get("user", "") if program else ""
        if served.path.startswith("/") and not os.path.isdir(os.path.dirname(served.path)):
            why = _cause_directory.why(served.path, user, "", None, again)
        why = why or _daemon(served, again) or _of_log(served, again)
    refusal = "" if host.supervisor.answers else _refusal(served.unit)
    found = _cause_program.judge(name, host.supervisor, served.address, served.listened, why, served.lines, refusal)
    state = host.supervisor.states.get(name)
    if (
        program
        and state
        and state.state == "RUNNING"
        and not served.listened
        and _runs_elsewhere(program.options, state.pid, served.path)
    ):
        message = f"supervisord has not applied {program.file} since it was changed: {name} still runs with another address."
        return [Finding(BROKEN, "program_not_read", message, (program.file,), _cause_program.updated(program))]
    return found


def _refusal(unit: Mapping[str, str]) -> str:
    """What supervisord said as it refused to start, "" if it has not."""
    run = unit.get("InvocationID")
    if not run or unit.get("Result") in ("success", "", None):
        return ""
    written = [f"_SYSTEMD_INVOCATION_ID={run}", "_UID=0", "_COMM=supervisord"]
    text = _log_causes.cleaned(_systemd.journal(written, lines=1, sync=False, pattern="^Error: "))
    return text.strip().removeprefix("Error: ")


def _runs_elsewhere(options: Mapping[str, str], pid: int, path: str) -> bool:
    """Whether a program's file names an address, and its process was started with another one."""
    running = " ".join(_processes.command_line(pid))
    named = _starters.names(options.get("command", ""), path, options.get("directory", ""))
    return (
        named and ("--bind" in running or "-b " in running) and not _starters.names(running, path, options.get("directory", ""))
    )


def _answers_badly(served: Served) -> list[Finding]:
    """Why an app that listens gives no good answer: it was not loaded, or raises."""
    process = served.process
    if process is None or not process.pid:
        return []
    if served.code == "closed":
        forwarder = _occupants.judge_forwarder(process, served.address, served.listeners)
        if forwarder:
            return [forwarder]
    why = _cause_sandbox.why_unreached(served.unit, served.address, served.code)
    if why:
        message = f"{process.name}, which should listen on {served.address}, cannot be reached: {why.text}."
        return [Finding(BROKEN, "unit_network", message, why.evidence, why.fix)]
    if served.code not in ("bad_status", "closed"):
        return []
    why = _of_log(served)
    if why is None:
        return []
    not_loaded = "no python application found" in served.log.text or "unable to load app" in served.log.text
    fails = "closes the connection without answering" if served.code == "closed" else "answers with errors"
    what = "runs without its app" if not_loaded else fails
    message = f"{process.name}, which listens on {served.address}, {what}: {why.text}."
    return [Finding(BROKEN, "app_not_loaded" if not_loaded else "app_raises", message, why.evidence, why.fix)]


def _beside(served: Served) -> Finding | None:
    """The server on the same port of another address of this host, while nothing listens on the one that nginx uses."""
    host, _colon, port = served.address.rpartition(":")
    if served.listener or served.code != "refused" or served.address.startswith("unix:") or not port.isdigit():
        return None
    for listener in served.listeners:
        other, _colon, number = listener.address.rpartition(":")
        pid = min((pid for pid in listener.pids if pid > 1), default=0)
        process = _processes.described(pid) if number == port and other != host and pid else None
        if process and (served.unit_name == process.unit or served.owner is None):
            unit = f" ({process.unit})" if process.unit else ""
            message = f"Nothing listens on {served.address}: {process.name}{unit} listens on {listener.address}."
            what = f"Write {listener.address} instead of {served.address} in nginx's configuration, or let the app listen there"
            return Finding(BROKEN, "listens_elsewhere", message, (listener.address,), then(what, _log_lines.RELOAD))
    return None


def _elsewhere(served: Served) -> list[Finding]:
    """The only server of apps that nginx passes nothing to, while nothing listens on the port that nginx uses."""
    if served.path.startswith("/"):
        return []
    found = []
    for listener in served.unused:
        pid = min((pid for pid in listener.pids if pid > 1), default=0)
        words = " ".join(_processes.command_line(pid)) if pid else ""
        if words and _starters.SERVER.search(words[:200]):
            process = _processes.described(pid)
            found += [(listener.address, process)] if process else []
    if len(found) != 1:
        return []
    address, process = found[0]
    unit = f" ({process.unit})" if process.unit else ""
    message = f"Nothing listens on {served.address}; {process.name}{unit} listens on {address}, which nginx does not use."
    fix = (
        f"Name {address} in nginx's configuration if that is the app of this site, then run: nginx -t && systemctl reload nginx."
    )
    return [Finding(BROKEN, "listens_elsewhere", message, (address,), fix)]


def log_of(
    served_by: Owner | None, process: ServerProcess | None, unit: Mapping[str, str], unit_name: str, host: HostCatalog
) -> AppLog:
    """The log of a server, of its present or last run."""
    owner, running = served_by, process is not None and process.pid > 0
    since = max(process.started if process else 0.0, time.time() - _logs.DAY) if running else 0.0
    own = [process.log] if process and process.log else []
    if owner and owner.program:
        state, program = host.supervisor.states.get(owner.program), host.supervisor.programs.get(owner.program)
        return _app_logs.of_files([*own, *(state.logs if state else ()), *(program.logs() if program else ())], running)
    if owner and owner.vassal:
        files = _app_logs.log_options(_untrusted.configuration(owner.vassal))
        if owner.unit == _starter_vassals.DEBIAN_UNIT:
            files.append(_starter_vassals.log_of_debian_app(owner.vassal))
        found = _app_logs.of_files(files, running)
        return (
            found if found.text or owner.unit == _starter_vassals.DEBIAN_UNIT else _app_logs.of_emperor(owner.unit, owner.vassal)
        )
    found = _app_logs.of_files(own, running)
    if found.text:
        return found
    if owner and owner.user:
        return _app_logs.of_unit(owner.unit, "", since, owner.user)
    if unit_name.endswith(".service") and unit:
        # Only of the present or last run: what was wrong before may have been fixed.
        found = _app_logs.of_unit(unit_name, unit.get("InvocationID", ""), since)
        again = unit.get("Result") not in ("success", "") or _units.keeps_restarting(unit, _age(process))
        return _app_logs.of_unit(unit_name, "", 0.0) if again and _log_causes.last_cause(found.text) is None else found
    return AppLog()
