# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots as programs of supervisor: one file a slot, read by the host's supervisord beside those of others.

Only programs of ours are added and removed, each by its name. What would look at all programs (``update``, ``restart``,
``reload``) would also do to others' programs what their owners have not done yet.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import glob
import grp
import http.client
import os
import pwd
import signal
import socket
import threading
import time
import xmlrpc.client
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn_hooks
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _processes, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, Server
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import unit_states

CONFIGURATION = "/etc/supervisor/supervisord.conf"

TIMEOUT = 10
"""Seconds that supervisord has for an answer."""

START_TIMEOUT = 30
"""Seconds that supervisord has to start."""

KILL_TIMEOUT = 10
"""Seconds that supervisord has to notice that a program was killed."""

LOG_LINES = 60
"""How many lines of each of a program's logs a failure has."""

# http://supervisord.org/subprocess.html#process-states
STARTING = ("STARTING", "BACKOFF")
RUNNING = ("RUNNING",)
STOPPING = ("STOPPING",)
FALLEN = ("BACKOFF", "EXITED", "FATAL", "UNKNOWN")

# Codes of faults; source: class Faults in supervisor/xmlrpc.py.
SHUTDOWN_STATE, CANT_REREAD = 6, 92

_changing = threading.Lock()
"""One thread at a time has supervisord read its files, and nobody stops an idle one that somebody is about to use."""


@dataclass(frozen=True)
class Interface:
    """Where supervisord listens, and what it wants to hear first.

    :ivar path: its socket
    :ivar credentials: ``user:password``, or nothing
    """

    path: str
    credentials: str = ""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, interface: Interface):
        token = base64.b64encode(interface.credentials.encode()).decode()
        super().__init__(headers=[("Authorization", f"Basic {token}")] if token else [])
        self.interface = interface

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self.interface.path)
        self._connection = host, connection
        return connection


def interface(text: str, directory: str = os.path.dirname(CONFIGURATION)) -> Interface | None:
    """How to reach a supervisord, from the text of its configuration; None if it does not listen on a unix socket.

    A password may be there as a digest, while supervisorctl's own section has what it is.

    :param directory: what ``%(here)s`` stands for, the directory of the configuration
    """
    # As supervisor itself reads it; source: class UnhosedConfigParser in supervisor/options.py.
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    if not parser.has_option("unix_http_server", "file"):
        return None
    path = parser.get("unix_http_server", "file").replace("%(here)s", directory)
    for section in ("supervisorctl", "unix_http_server"):
        if parser.has_option(section, "username") and parser.has_option(section, "password"):
            return Interface(path, f"{parser.get(section, 'username')}:{parser.get(section, 'password')}")
    return Interface(path)


def _interface() -> Interface:
    try:
        with open(CONFIGURATION, encoding="utf-8") as stream:
            found = interface(stream.read())
    except (OSError, configparser.Error) as error:
        words = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise StackError("supervisor", f"{CONFIGURATION} cannot be read: {words}; fix it.") from None
    if found is None:
        cause = f"{CONFIGURATION} has no [unix_http_server] with a file, by which programs are added; put it back."
        raise StackError("supervisor", cause)
    return found


def _call(method: str, *arguments: Any) -> Any:
    """Have supervisord do something.

    :raises OSError: nobody is there
    :raises xmlrpc.client.Fault: it did not do it
    :raises StackError: it does not let us
    """
    try:
        with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(_interface())) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)
    except xmlrpc.client.ProtocolError as error:
        cause = f"supervisord answers {error.errcode} {error.errmsg}; correct the username and password in {CONFIGURATION}."
        raise StackError("supervisor", cause) from None
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from None


def known() -> dict[str, dict[str, Any]] | None:
    """All programs that supervisord knows, ours and those of others, by their names; None if there is no supervisord."""
    try:
        return {process["name"]: process for process in _call("getAllProcessInfo")}
    except OSError:
        return None
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == SHUTDOWN_STATE:
            return None
        raise StackError("supervisor", f"supervisord says {fault.faultString}; see {_layout.SUPERVISOR}.") from None


def masters(names: Collection[str]) -> dict[str, set[_processes.Process]]:
    """The gunicorns of some slots, by the slots' names: whatever started them, as after the death of a supervisord."""
    everybody = _processes.everybody()
    serving: dict[_processes.Process, str] = {}
    for process in everybody:
        with contextlib.suppress(OSError, KeyError):
            with open(f"/proc/{process[0]}/cmdline", encoding="utf-8", errors="replace") as stream:
                name = _gunicorn_hooks.slot_of(stream.read())
            # Anybody can call a process like this; the app's user is called like the app.
            if name in names and os.stat(f"/proc/{process[0]}").st_uid == pwd.getpwnam(name.partition("@")[2]).pw_uid:
                serving[process] = name
    ids = {process[0] for process in serving}
    found: dict[str, set[_processes.Process]] = {name: set() for name in names}
    for process, name in serving.items():
        if everybody[process] not in ids:
            found[name].add(process)
    return found


class Programs(Server):
    """The slots of the stack ``gunicorn_supervisor``."""

    def __init__(self) -> None:
        self.logged: dict[str, int] = {}
        """How long each log of a program was when the program was started here, in bytes."""

    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        names = list(names)
        files = {name for name in names if os.path.exists(_file(name))}
        if not names or not (os.path.exists(CONFIGURATION) or files):
            return {name: Instance() for name in names}
        told = known()
        programs = told or {}
        others = [name for name in names if programs.get(name, {}).get("statename") not in RUNNING]
        orphans = masters(others) if others else {}
        # Where no supervisord runs or is to run, it is whoever starts one by hand that would start the program.
        boots = bool(files) and (told is None or unit_states([_layout.SUPERVISOR])[_layout.SUPERVISOR].enabled)
        return {
            name: instance(programs.get(name), {process[0] for process in orphans.get(name, ())}, boots and name in files)
            for name in names
        }

    def check(self) -> None:
        _interface()

    def start(self, app: dict[str, Any], slot: str) -> None:
        layout = _layout.of(app)
        name = layout.instance(slot)
        wanted = File(program(app, slot), 0o644, "root", "root")
        with _changing:
            _rise()
            _make_log_directory()
            self.logged = {path: _size(path) for path in _logs(layout, slot)}
            _remove(name)
            _files.write(layout.program(slot), wanted)
            try:
                _call("reloadConfig")
                _call("addProcessGroup", name)
            except (OSError, xmlrpc.client.Fault) as error:
                os.unlink(layout.program(slot))
                raise StackError("supervisor", _refusal(error)) from None

    def stop(self, app: dict[str, Any], slot: str, timeout: float) -> None:
        layout = _layout.of(app)
        name = layout.instance(slot)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(layout.program(slot))
        _await_end(name, timeout)
        for path in (layout.socket(slot), *glob.glob(layout.socket(slot).replace(".sock", ".[0-9]*.sock"))):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        with _changing:
            _remove(name)
            programs = known()
            if programs is not None and not programs and not glob.glob(f"{_layout.PROGRAMS}/*.conf"):
                run(["systemctl", "disable", "--now", "--quiet", _layout.SUPERVISOR])

    def enable(self, app: dict[str, Any], slot: str, enabled: bool) -> None:
        path = _layout.of(app).program(slot)
        if not enabled:
            # Until supervisord reads its files anew it has no effect on what runs.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        wanted = File(program(app, slot), 0o644, "root", "root")
        with _changing:
            _make_log_directory()
            if _files.read(path) != wanted:
                _files.write(path, wanted)
            _rise()

    def log(self, app: dict[str, Any], slot: str, since: float) -> str:
        lines: list[str] = []
        for path in _logs(_layout.of(app), slot):
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as stream:
                before = self.logged.get(path, 0)
                # It is shorter where supervisord has begun a new one meanwhile.
                stream.seek(before if before <= _size(path) else 0)
                lines += stream.read().decode(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(lines)


def program(app: Mapping[str, Any], slot: str) -> str:
    """The text of the file with a slot's program. Pure."""
    layout = _layout.of(app)
    name = layout.instance(slot)
    options = {
        "command": f"{layout.slot(slot)}/serve {slot}",
        "directory": layout.shared,
        "user": app["user"],
        "umask": "027",
        "autostart": "true",
        "autorestart": "true",
        # An app that waits for its database at boot comes up when that does; it is tried after 1 s, after 2 s, and so on.
        "startsecs": 1,
        "startretries": 1000000,
        # To the master alone, which lets the requests in flight end. What it leaves behind is killed.
        "stopsignal": "TERM",
        "stopwaitsecs": app["drain_timeout"] + 5,
        "stopasgroup": "false",
        "killasgroup": "true",
        **{
            f"{stream}_{option}": value
            for stream in ("stdout", "stderr")
            for option, value in (
                ("logfile", layout.program_log(slot, stream)),
                ("logfile_maxbytes", "10MB"),
                ("logfile_backups", 5),
            )
        },
    }
    head = f"; Managed by wsgi.stack: the program comes and goes with the releases of the app {app['name']}."
    return "\n".join([head, f"[program:{name}]", *(f"{key}={value}" for key, value in options.items()), ""])


def instance(process: Mapping[str, Any] | None, orphans: Collection[int], enabled: bool) -> Instance:
    """The state of one program. Pure.

    :param process: what supervisord says of it
    :param orphans: masters of the slot, where supervisord does not say that it runs
    """
    state = process["statename"] if process else ""
    pid = process["pid"] if process else 0
    return Instance(
        active=state in (*STARTING, *RUNNING, *STOPPING) or bool(orphans),
        # It is its socket that tells whether it serves: supervisord only knows how long it has run.
        ready=state in ("STARTING", *RUNNING) or bool(orphans),
        # A program that was added anew and has ended, was not stopped by us.
        failing=state in FALLEN or bool(process and process["stop"]),
        enabled=enabled,
        pid=pid or min(orphans, default=0),
    )


def _await_end(name: str, timeout: float) -> None:
    """Have all processes of a slot end, and wait for that; after ``timeout`` seconds they are killed."""
    deadline = time.monotonic() + timeout
    asked: set[_processes.Process] = set()
    kin: set[_processes.Process] = set()
    killed = False
    while time.monotonic() < deadline + KILL_TIMEOUT:
        process = (known() or {}).get(name, {})
        if process.get("statename") in (*STARTING, *RUNNING):
            _ask("stopProcess", f"{name}:{name}", False)
        there = _processes.everybody()
        found = masters([name])[name]
        for master in found - asked:
            asked.add(master)
            if master[0] != process.get("pid"):  # not supervisord's, so it is nobody's but ours to end
                with contextlib.suppress(ProcessLookupError):
                    os.kill(master[0], signal.SIGTERM)
        kin |= {member for master in found for member in _processes.family(master[0], there)}
        if not found and process.get("statename") not in (*STARTING, *RUNNING, *STOPPING):
            break
        if time.monotonic() > deadline and not killed:
            killed = True
            _processes.kill(kin)
        time.sleep(0.2)
    _processes.kill(kin)


def _ask(method: str, *arguments: Any) -> bool:
    """Have supervisord do something that may have happened already.

    :returns: whether it did it
    """
    try:
        _call(method, *arguments)
    except (OSError, xmlrpc.client.Fault):
        return False
    return True


def _remove(name: str) -> None:
    """Have supervisord forget a program that has ended, if it knows it."""
    deadline = time.monotonic() + TIMEOUT
    while name in (known() or {}) and not _ask("removeProcessGroup", name) and time.monotonic() < deadline:
        _ask("stopProcess", f"{name}:{name}", False)
        time.sleep(0.2)


def _refusal(error: Exception) -> str:
    if isinstance(error, xmlrpc.client.Fault) and error.faultCode == CANT_REREAD:
        words = " ".join(error.faultString.removeprefix("CANT_REREAD:").split()).rstrip(".")
        return (
            f"supervisord cannot read its configuration: {words}; fix the file in {_layout.PROGRAMS}. What runs was not touched."
        )
    words = error.faultString if isinstance(error, xmlrpc.client.Fault) else str(error)
    return f"supervisord did not take the app's program: {words}; see /var/log/supervisor/supervisord.log."


def _rise() -> None:
    """Have supervisord run, now and after a boot, with the programs of everybody.

    :raises StackError: it does not start
    """
    unit = unit_states([_layout.SUPERVISOR])[_layout.SUPERVISOR]
    if unit.enabled and known() is not None:
        return
    began = time.time()
    done = run(["systemctl", "enable", "--now", "--quiet", _layout.SUPERVISOR])
    deadline = time.monotonic() + START_TIMEOUT
    while done.code == 0 and time.monotonic() < deadline:
        if known() is not None:
            return
        # Not whether it has ended before: the service counts that on, from a supervisord that was killed.
        if not unit_states([_layout.SUPERVISOR])[_layout.SUPERVISOR].active:
            break
        time.sleep(0.1)
    log = _systemd.journal([_systemd.written_by(_layout.SUPERVISOR)], began)
    last = [line for line in log.splitlines() if line.strip() and "For help" not in line][-1:] or [done.output.strip()]
    said = f": {last[0].strip()}" if last[0] else ""
    raise StackError("supervisor", f"{_layout.SUPERVISOR} does not start{said}; see journalctl -u supervisor, and fix that.", log)


def _make_log_directory() -> None:
    # supervisord makes its logs readable by everybody, and there may be anything in what an app writes.
    if not os.path.isdir(_layout.PROGRAM_LOGS):
        os.makedirs(_layout.PROGRAM_LOGS, 0o750, exist_ok=True)
        os.chown(_layout.PROGRAM_LOGS, 0, grp.getgrnam("adm").gr_gid)


def _file(name: str) -> str:
    return os.path.join(_layout.PROGRAMS, f"{name}.conf")


def _logs(layout: _layout.Layout, slot: str) -> list[str]:
    return [layout.program_log(slot, stream) for stream in ("stdout", "stderr")]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
