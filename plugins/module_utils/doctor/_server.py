# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The process behind a socket: its program, start time, Python, virtual environment, plugins and configuration."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings, _newer_files, _server_options
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _preflight
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _identity
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _file, _uwsgi_binary


@dataclass(frozen=True)
class ServerProcess:
    """The server of an app, running or as configured.

    :ivar pid: the main process, 0 if it does not run
    :ivar kind: ``uwsgi``, ``gunicorn`` or the name of another program
    :ivar started: start of the main process, seconds since the epoch
    :ivar working: start of the oldest worker; a reload starts new workers
    :ivar python: ``3.11``: the version loaded into the process, or linked into its plugin
    :ivar environment: path of the virtual environment, "" without one
    :ivar made_for: the Python version that the virtual environment was created for
    :ivar plugins: files of uWSGI's plugins
    :ivar dangling: the missing target of the virtual environment's interpreter, "" if it is there
    :ivar backlog: the configured size of the listen queue, 0 for the default
    :ivar files: configuration files
    :ivar replaced: programs and libraries replaced on disk since the start, as by an upgrade
    :ivar module: the first part of the name of the module that the app is in, "" if that is not known
    :ivar daemon: it is configured to go to the background
    :ivar newer: files newer than the process: kind (``configuration``, ``code``, ``packages``), path, time
    """

    pid: int = 0
    kind: str = ""
    command: str = ""
    user: str = ""
    started: float = 0.0
    working: float = 0.0
    unit: str = ""
    program: str = ""
    python: str = ""
    environment: str = ""
    made_for: str = ""
    directory: str = ""
    plugins: tuple[str, ...] = ()
    missing_plugins: tuple[str, ...] = ()
    unfit_plugins: tuple[str, ...] = ()
    dangling: str = ""
    backlog: int = 0
    files: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    newer: tuple[tuple[str, str, float], ...] = ()
    log: str = ""
    module: str = ""
    daemon: bool = False

    @property
    def name(self) -> str:
        """The process as messages name it."""
        return f"{self.kind} (process {self.pid})" if self.pid else self.unit or self.program or self.kind

    def result(self) -> dict[str, Any]:
        """The process as modules return it."""
        return {
            "pid": self.pid,
            "server": self.kind,
            "command": self.command,
            "user": self.user,
            "since": _findings.moment(self.started) if self.started else "",
            "unit": self.unit,
            "program": self.program,
            "python": self.python,
            "virtual_environment": self.environment,
            "directory": self.directory,
            "configuration": list(self.files),
        }


@dataclass
class HostFacts:
    """Facts that are read once for all processes.

    :ivar everybody: see ``host._processes.all_processes``
    :ivar links: see ``_descriptors.look``
    :ivar core: the installed uWSGI, None without one
    :ivar catalog: what starts servers
    :ivar listeners: all listening sockets
    """

    everybody: dict[_processes.Process, int]
    links: Mapping[int, Mapping[str, Any]]
    core: _uwsgi_binary.Core | None = None
    catalog: HostCatalog = field(default_factory=HostCatalog)
    listeners: Sequence[Listener] = ()


def core() -> _uwsgi_binary.Core | None:
    """The installed uWSGI, None without one."""
    if not os.path.exists(_uwsgi.PROGRAM):
        return None
    try:
        return _uwsgi_binary.read()
    except StackError:
        return None


def main_of(pids: Iterable[int], everybody: Mapping[_processes.Process, int]) -> int:
    """The main process among those that have a socket open, 0 if only systemd has it. Pure."""
    members = {pid for pid in pids if pid > 1}
    parents = {process[0]: parent for process, parent in everybody.items()}
    heads = [pid for pid in members if parents.get(pid) not in members]
    return min(heads, default=0)


def running(pid: int, host: HostFacts, unit: Mapping[str, str], unit_directory: str) -> ServerProcess:
    """Examine a running server.

    :param pid: its main process
    :param unit: properties of its systemd unit
    :param unit_directory: working directory of its unit or supervisor program
    """
    status = _texts(pid, "status")
    if not status:
        return ServerProcess()
    family = sorted(_processes.with_descendants([pid], host.everybody), key=lambda process: process[1])
    children = [process[0] for process in family if process[0] != pid]
    starts = [_processes.started(child) for child in children]
    started = _processes.started(pid)
    working = min([start for start in starts if start] or [started])
    words = _processes.command_line(pid)
    environ = dict(pair.partition("=")[::2] for pair in _texts(pid, "environ").split("\0") if "=" in pair)
    maps = _texts(pid, "maps")
    where = _directory(pid, host, unit_directory)
    base = unit_directory or where
    options = _server_options.read(words, base)
    environment = _environment(options, words, environ, maps, base)
    mapped = tuple(path for path in _processes.mapped_files(maps) if path.endswith(_file.SUFFIX))
    code = options.last("chdir", "chdir2") or where
    code_directory = code if code.startswith("/") else where
    identity = _user(pid)
    workers = {_user(child) for child in children} - {identity, ""}
    return ServerProcess(
        pid=pid,
        kind=options.server or "process",
        command=" ".join(words).strip(),
        user=f"{identity}, workers as {', '.join(sorted(workers))}" if workers else identity,
        started=started,
        working=working,
        unit=_processes.unit(pid) or "",
        program=_program(environ),
        python=python_in(maps),
        environment=environment,
        made_for=_made_for(environment),
        directory=code_directory,
        plugins=mapped,
        missing_plugins=tuple(name for name in _plugins(options, host.core)[1] if not _mapped(name, mapped)),
        unfit_plugins=_unfit(mapped, host.core),
        dangling=_dangling(environment),
        backlog=options.backlog(),
        files=tuple(options.files),
        replaced=tuple(_processes.replaced_in(maps)),
        newer=tuple(
            _newer_files.newer(started, working, options.files, unit, code if code.startswith("/") else where, environment)
        ),
        log=_log(pid, host, options, base),
        module=options.module(words),
        daemon=options.daemon(words),
    )


def configured(words: list[str], directory: str, host: HostFacts, unit: str = "", program: str = "") -> ServerProcess:
    """Examine a server that does not run, by the command that would start it."""
    options = _server_options.read(words, directory)
    environment = _environment(options, words, {}, "", directory)
    plugins, missing = _plugins(options, host.core)
    linked = [version for version in map(linked_python, plugins) if version]
    return ServerProcess(
        kind=options.server,
        command=" ".join(words),
        unit=unit,
        program=program,
        python=linked[0] if linked else _interpreter(environment),
        environment=environment,
        made_for=_made_for(environment),
        directory=options.last("chdir") or directory,
        plugins=tuple(plugins),
        missing_plugins=tuple(missing),
        unfit_plugins=_unfit(plugins, host.core),
        dangling=_dangling(environment),
        backlog=options.backlog(),
        files=tuple(options.files),
        log=options.log(directory),
        module=options.module(words),
        daemon=options.daemon(words),
    )


def python_in(maps: str) -> str:
    """The Python version loaded into a process, from the text of /proc/PID/maps; "" without Python. Pure."""
    patterns = (r"/libpython(\d+\.\d+)[^/]*$", r"/python(\d+\.\d+)(?: \(deleted\))?$", r"/python(\d+\.\d+)/lib-dynload/")
    for pattern in patterns:
        match = re.search(pattern, maps, re.MULTILINE)
        if match:
            return match[1]
    return ""


def linked_python(path: str) -> str:
    """The version of libpython that a plugin is linked with, from the library name in the file; "" without one."""
    with contextlib.suppress(OSError, ValueError):
        match = re.search(rb"\0libpython(\d+\.\d+)[\w.]{0,40}\.so", _untrusted.read(path, _file.LIMIT))
        return match[1].decode() if match else ""
    return ""


def _environment(
    options: _server_options.Options, words: Iterable[str], environ: Mapping[str, str], maps: str, directory: str
) -> str:
    candidates = [options.environment(directory)]
    for word in words:
        match = re.fullmatch(r"(.+)/bin/[^/]+", word)
        if match:
            candidates.append(os.path.normpath(os.path.join(directory or "/", match[1])))
    candidates.append(environ.get("VIRTUAL_ENV", ""))
    found = (re.match(r"(/.+?)/lib/python[\d.]+/site-packages/", path) for path in _processes.mapped_files(maps))
    candidates += dict.fromkeys(match[1] for match in found if match)
    return next((path for path in candidates if path and os.path.exists(os.path.join(path, "pyvenv.cfg"))), "")


def _made_for(environment: str) -> str:
    if not environment:
        return ""
    text = _untrusted.configuration(os.path.join(environment, "pyvenv.cfg"))
    version = _preflight.environment_version(text)
    return "" if version == "unknown" else version


def _interpreter(environment: str) -> str:
    """The version of the Python that a virtual environment's links lead to, "" if its name does not tell. It is not run."""
    match = re.search(r"/python(\d+\.\d+)$", os.path.realpath(os.path.join(environment, "bin/python3"))) if environment else None
    return match[1] if match else ""


def _dangling(environment: str) -> str:
    python = os.path.join(environment, "bin/python3")
    if not environment or not os.path.islink(python) or os.path.exists(python):
        return ""
    for _step in range(10):
        target = os.path.join(os.path.dirname(python), os.readlink(python))
        if not os.path.islink(target):
            return os.path.normpath(target)
        python = target
    return python


def _plugins(options: _server_options.Options, core: _uwsgi_binary.Core | None) -> tuple[list[str], list[str]]:
    """The files of the configured plugins, and the names of those that are missing."""
    found, missing = [], []
    if options.server != "uwsgi" or core is None or (options.values.get("plugins-dir") or options.values.get("plugin-dir")):
        return [], []
    for name in options.plugins():
        path = name if "/" in name else os.path.join(core.directory, f"{name}{_file.SUFFIX}")
        if os.path.exists(path):
            found.append(os.path.realpath(path))
        elif re.fullmatch(r"[\w./-]+", name):
            missing.append(name)
    return found, missing if len(missing) and any(re.match(r"python|pypy|gevent|asyncio", name) for name in missing) else []


def _mapped(name: str, mapped: Iterable[str]) -> bool:
    return any(os.path.basename(path) == f"{os.path.basename(name)}{_file.SUFFIX}" for path in mapped)


def _unfit(plugins: Iterable[str], core: _uwsgi_binary.Core | None) -> tuple[str, ...]:
    if core is None:
        return ()
    found = []
    for path in plugins:
        with contextlib.suppress(OSError):
            found.append(_file.problem(path, core))
    return tuple(problem for problem in found if problem)


def _directory(pid: int, host: HostFacts, unit_directory: str) -> str:
    return (host.links.get(pid) or {}).get("cwd", "") or unit_directory


def _log(pid: int, host: HostFacts, options: _server_options.Options, directory: str) -> str:
    files = (host.links.get(pid) or {}).get("files") or {}
    configured_log = options.log(directory)
    if os.path.realpath(configured_log) in files.values():  # a configuration can name any file
        return configured_log
    target = files.get("2", "")
    return target if target.startswith("/") and os.path.isfile(target) else ""


def _program(environ: Mapping[str, str]) -> str:
    name, group = environ.get("SUPERVISOR_PROCESS_NAME", ""), environ.get("SUPERVISOR_GROUP_NAME", "")
    return name if name == group or not group else f"{group}:{name}"


def _user(pid: int) -> str:
    try:
        return _identity.of_process(pid).user
    except StackError:
        return ""


def _texts(pid: int, name: str) -> str:
    return _processes.text(pid, name, _processes.MAPS)
