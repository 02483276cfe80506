# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The programs of supervisor: in its files, and as the running supervisord knows them."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _glob, _processes, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import (
    _expansion,
    _starter_units,
    _supervisor_files,
    _supervisor_rpc,
)
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import ENVIRONMENT, Starter, Text

MAIN = ("/etc/supervisor/supervisord.conf", "/etc/supervisord.conf", "/usr/local/etc/supervisord.conf")
UNIT = "supervisor.service"


@dataclass(frozen=True)
class Program:
    """A program in supervisor's files.

    :ivar name: as supervisorctl wants it, with its group
    :ivar group: what ``supervisorctl update`` wants
    :ivar options: those of its section, with supervisor's expressions replaced
    :ivar main: the main file of its supervisor
    """

    name: str
    group: str
    options: Mapping[str, str]
    file: str
    main: str = MAIN[0]

    @property
    def starts_at_boot(self) -> bool:
        """Whether supervisord starts it by itself."""
        return self.options.get("autostart", "true").lower() not in ("false", "no", "off", "0", "f", "n")

    def logs(self) -> list[str]:
        """The files that it logs to, where its errors are first."""
        merged = self.options.get("redirect_stderr", "false").lower() in ("true", "yes", "on", "1", "t", "y")
        names = ("stdout_logfile",) if merged else ("stderr_logfile", "stdout_logfile")
        return [self.options[name] for name in names if self.options.get(name, "").startswith("/")]


@dataclass(frozen=True)
class ProgramState:
    """What supervisord knows of a program.

    :ivar state: ``RUNNING``, ``FATAL``, ``STOPPED``, …; "" if it does not know it
    :ivar error: why it could not start it, or ``Exited too quickly``
    :ivar logs: the files that it logs to, where its errors are first
    :ivar command: the command that it runs, "" if supervisord is too old to tell
    """

    state: str = ""
    error: str = ""
    exit_status: int = 0
    pid: int = 0
    logs: tuple[str, ...] = ()
    command: str = ""
    directory: str = ""


@dataclass(frozen=True)
class Supervisor:
    """All programs of the host's supervisors.

    :ivar states: by name; empty if no supervisord answers
    :ivar answers: whether it does
    """

    programs: Mapping[str, Program] = field(default_factory=dict)
    states: Mapping[str, ProgramState] = field(default_factory=dict)
    answers: bool = False


def read(mains: Sequence[str] = MAIN) -> Supervisor:
    """Read the files, and ask the supervisord of the first main file that there is."""
    found = {program.name: program for main in mains for program in _programs(main)}
    main = next((path for path in mains if os.path.exists(path)), "")
    states = _states(main) if main else None
    return Supervisor(found, states or {}, states is not None)


def starters(found: Supervisor) -> list[Starter]:
    """The programs as what starts servers."""
    return [starter(program) for program in found.programs.values()]


def control(main: str) -> str:
    """The command that controls the programs of a supervisor."""
    return "supervisorctl" if main == MAIN[0] else f"supervisorctl -c {shlex.quote(main)}"


def starter(program: Program) -> Starter:
    """A program as what starts servers. It reads the files that its command names."""
    options, directory = program.options, program.options.get("directory", "")
    known = _expansion.assignments(options.get("environment", ""))
    command = _expansion.variables(options.get("command", ""), known)
    texts = [Text(command, directory, program.file)]
    texts.append(Text(options.get("socket", ""), directory, program.file))
    texts += _starter_units.of_command(command, directory, known)
    texts.append(Text(options.get("environment", ""), directory, program.file, ENVIRONMENT))
    return Starter(
        UNIT,
        program=program.name,
        control=control(program.main),
        file=program.file,
        texts=tuple(texts),
        enabled=program.starts_at_boot,
    )


def _programs(main: str) -> Iterator[Program]:
    texts = {main: _untrusted.configuration(main)}
    for path in (path for pattern in included(main) for path in _glob.matching(pattern)):
        texts.setdefault(path, _untrusted.configuration(path))
    yield from parsed(texts, main)


def included(main: str) -> list[str]:
    """The patterns of the files that a main file includes; what these include, supervisor ignores."""
    here = os.path.dirname(main)
    try:
        patterns = _supervisor_files.parse(_untrusted.configuration(main)).get("include", "files", fallback="").split()
    except configparser.Error:
        return []
    return [os.path.normpath(os.path.join(here, _expansion.supervisor(pattern, "", "", here))) for pattern in patterns]


def parsed(texts: Mapping[str, str], main: str) -> Iterator[Program]:
    """The programs in the texts of some files. Pure."""
    sections: dict[str, tuple[dict[str, str], str]] = {}
    groups: dict[str, str] = {}
    for file, text in texts.items():
        try:
            parser = _supervisor_files.parse(text)
        except configparser.Error:
            continue
        for name in parser.sections():
            if name.startswith(_supervisor_files.PROGRAM_SECTIONS):
                sections[name.partition(":")[2]] = dict(parser.items(name)), file
            elif name.startswith("group:"):
                members = re.split(r"[,\s]+", parser.get(name, "programs", fallback=""))
                groups.update({member: name.partition(":")[2] for member in members if member})
    for name, (options, file) in sections.items():
        group, here = groups.get(name, name), os.path.dirname(main)
        filled = {key: _expansion.supervisor(value, name, group, here) for key, value in options.items()}
        process = filled.get("process_name", name)
        yield Program(process if group == process else f"{group}:{process}", group, filled, file, main)


def _states(main: str) -> dict[str, ProgramState] | None:
    """What the running supervisord knows, None without one that answers."""
    try:
        found = _supervisor_files.interface(_untrusted.text(main), os.path.dirname(main))
        if found is None or not _is_roots_socket(found.path):
            return None
        processes = _supervisor_rpc.call("getAllProcessInfo", at=found)
    except (OSError, ValueError, configparser.Error, xmlrpc.client.Error, StackError):
        return None
    try:
        commands = {_name(each): each for each in _supervisor_rpc.call("getAllConfigInfo", at=found)}
    except (OSError, ValueError, xmlrpc.client.Error, StackError):  # new in supervisor 4
        commands = {}
    return {_name(each): state(each, commands.get(_name(each), {})) for each in processes}


def _is_roots_socket(path: str) -> bool:
    try:
        return os.lstat(path).st_uid == 0 and _untrusted.is_roots_alone(os.path.realpath(os.path.dirname(path)))
    except OSError:
        return False


def _name(info: Mapping[str, Any]) -> str:
    name, group = str(info.get("name", "")), str(info.get("group", ""))
    return name if name == group else f"{group}:{name}"


def state(info: Mapping[str, Any], configured: Mapping[str, Any]) -> ProgramState:
    """Read one process in supervisord's answers. Pure.

    :param configured: the same process in the answer of getAllConfigInfo, {} without one
    """
    logs = [str(info.get("stderr_logfile") or ""), str(info.get("stdout_logfile") or info.get("logfile") or "")]
    return ProgramState(
        state=str(info.get("statename", "")),
        error=str(info.get("spawnerr") or ""),
        exit_status=int(info.get("exitstatus") or 0),
        pid=int(info.get("pid") or 0),
        logs=tuple(path for path in logs if path.startswith("/")),
        command=str(configured.get("command") or ""),
        directory=str(configured.get("directory") or "").removesuffix("none"),
    )


def of_process(pid: int, found: Supervisor) -> str:
    """The program that a process belongs to, "" if it belongs to none."""
    pids = {each.pid: name for name, each in found.states.items() if each.pid}
    parents = {process[0]: parent for process, parent in _processes.all_processes().items()} if pids else {}
    seen: set[int] = set()
    while pid > 1 and pid not in seen:
        if pid in pids:
            return pids[pid]
        seen.add(pid)
        pid = parents.get(pid, 0)
    return ""
