# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Slots as programs of supervisor: one file for each slot, which the host's supervisord reads beside those of others.

Only our own programs are added and removed, each by its name. Commands about all programs (``update``, ``restart``, ``reload``)
would also apply changes to others' programs that their owners have not applied yet.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import signal
import threading
import time
import xmlrpc.client
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn_hooks
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _processes, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _orphans, _supervisor_files, _supervisor_rpc
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, ProcessManager
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import refusal, unit_states

START_TIMEOUT = 30
"""Seconds that supervisord has to start."""

KILL_TIMEOUT = 10
"""Seconds that supervisord has to notice that a program was killed."""

LOG_LINES = 60
"""The number of lines of each log of a program in a failure."""

# http://supervisord.org/subprocess.html#process-states
STARTING = ("STARTING", "BACKOFF")
RUNNING = ("RUNNING",)
STOPPING = ("STOPPING",)
EXITED = ("BACKOFF", "EXITED", "FATAL", "UNKNOWN")

_lock = threading.Lock()
"""One thread at a time has supervisord read its files, and none stops an unused one that another is about to use."""


def masters(names: Collection[str]) -> dict[str, set[_processes.Process]]:
    """The gunicorn masters of some slots, by the slots' names, also those that a killed supervisord left behind."""
    everybody = _processes.all_processes()
    serving: dict[_processes.Process, str] = {}
    for process in everybody:
        with contextlib.suppress(OSError, KeyError):
            name = _gunicorn_hooks.slot_of(_processes.text(process[0], "cmdline", _processes.COMMAND_LINE))
            # Any process can have this name, so it has to run as the app's user, which has the name of the app.
            if name and name in names and os.stat(f"/proc/{process[0]}").st_uid == pwd.getpwnam(name.partition("@")[2]).pw_uid:
                serving[process] = name
    ids = {process[0] for process in serving}
    found: dict[str, set[_processes.Process]] = {name: set() for name in names}
    for process, slot in serving.items():
        if everybody[process] not in ids:
            found[slot].add(process)
    return found


class Programs(ProcessManager):
    """The slots of the stack ``gunicorn_supervisor``."""

    def __init__(self) -> None:
        self.log_sizes: dict[str, int] = {}
        """The size of each log of a program when it was started here, in bytes."""

    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        names = list(names)
        files = {name for name in names if os.path.exists(_file(name))}
        if not names or not (os.path.exists(_supervisor_files.CONFIGURATION) or files):
            return {name: Instance() for name in names}
        try:
            info = _supervisor_rpc.process_info()
        except StackError:
            if files or any(masters(names).values()):
                raise
            return {name: Instance() for name in names}  # it is the matter of other apps
        programs = info or {}
        others = [name for name in names if programs.get(name, {}).get("statename") not in RUNNING]
        orphans = masters(others) if others else {}
        # If no supervisord runs and none is enabled, the next one would start the program.
        boots = bool(files) and (info is None or unit_states([_layout.SUPERVISOR])[_layout.SUPERVISOR].enabled)
        return {
            name: instance(programs.get(name), {process[0] for process in orphans.get(name, ())}, boots and name in files)
            for name in names
        }

    def check(self) -> None:
        _supervisor_rpc.interface()

    def start(self, app: App, slot: str) -> None:
        layout = _layout.of(app)
        name = layout.instance(slot)
        with _lock:
            _ensure_running()
            _make_log_directory()
            self.log_sizes = {path: _size(path) for path in _logs(layout, slot)}
            _remove(name)
            _files.write(layout.program(slot), _program_file(app, slot))
            try:
                _supervisor_rpc.call("reloadConfig")
                _supervisor_rpc.call("addProcessGroup", name)
            except (OSError, xmlrpc.client.Fault) as error:
                os.unlink(layout.program(slot))
                raise StackError("supervisor", _refusal(error)) from None

    def stop(self, layout: _layout.Layout, slot: str, timeout: float) -> None:
        name = layout.instance(slot)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(layout.program(slot))
        _wait_until_ended(name, timeout)
        self.kill_orphans(layout.name)
        with _lock:
            _remove(name)
            programs = _supervisor_rpc.process_info()
            if programs is not None and not programs and not glob.glob(f"{_layout.PROGRAMS}/*.conf"):
                run(["systemctl", "disable", "--now", "--quiet", _layout.SUPERVISOR])

    def kill_orphans(self, user: str, removed: bool = False) -> None:
        programs = _supervisor_rpc.process_info() if os.path.exists(_supervisor_files.CONFIGURATION) else None
        if programs is not None or removed:
            _orphans.kill(_layout.SUPERVISOR, user, [program["pid"] for program in (programs or {}).values()])

    def enable(self, app: App, slot: str) -> None:
        path, wanted = _layout.of(app).program(slot), _program_file(app, slot)
        with _lock:
            _make_log_directory()
            if _files.read(path) != wanted:
                _files.write(path, wanted)
            _ensure_running()

    def disable(self, layout: _layout.Layout, slot: str) -> None:
        # What runs goes on: supervisord reads its files only when it is told to.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(layout.program(slot))

    def service(self, layout: _layout.Layout, slot: str) -> str:
        return _layout.SUPERVISOR

    def log(self, layout: _layout.Layout, slot: str, since: float) -> str:
        lines: list[str] = []
        for path in _logs(layout, slot):
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as stream:
                before = self.log_sizes.get(path, 0)
                # It is shorter if supervisord has rotated it meanwhile.
                stream.seek(before if before <= _size(path) else 0)
                lines += stream.read().decode(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(lines)


def _program_file(app: App, slot: str) -> File:
    return File(program(app, slot, _nginx_group(app)), 0o644, "root", "root")


def _nginx_group(app: App) -> str:
    """The group that the app's runtime directory is open to."""
    return grp.getgrgid(os.stat(app["runtime_directory"]).st_gid).gr_name


def program(app: App, slot: str, nginx_group: str) -> str:
    """The text of the file with a slot's program. Pure.

    :param nginx_group: the group that may connect to the slot's socket
    """
    layout = _layout.of(app)
    name = layout.instance(slot)
    options = {
        # As root, since a sandbox takes it; the server it starts runs as the app's user.
        "command": f"{layout.slot(slot)}/launch {layout.slot(slot)}/serve {slot}",
        "user": "root",
        # supervisord makes it when it loads the program, as root, and hands it over as standard input.
        "socket": f"unix://{layout.socket(slot)}",
        "socket_owner": f"root:{nginx_group}",
        "socket_mode": "0660",
        "socket_backlog": 1024,
        "directory": layout.shared,
        "umask": "027",
        "autostart": "true",
        "autorestart": "true",
        # An app that needs a database which starts later at boot is tried again after 1 s, after 2 s, and so on.
        "startsecs": 1,
        "startretries": 1000000,
        # To the master alone, which lets requests in flight finish. Orphans are killed.
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
    head = f"; Managed by wsgi.stack for the app {app['name']}; changes here are overwritten by its next release."
    return "\n".join([head, f"[fcgi-program:{name}]", *(f"{key}={value}" for key, value in options.items()), ""])


def instance(process: Mapping[str, Any] | None, orphans: Collection[int], enabled: bool) -> Instance:
    """The state of one program. Pure.

    :param process: what supervisord says of it, None if it does not know it
    :param orphans: the gunicorn masters of the slot, if supervisord does not say that it runs
    """
    state = process["statename"] if process else ""
    pid = process["pid"] if process else 0
    return Instance(
        active=state in (*STARTING, *RUNNING, *STOPPING) or bool(orphans),
        # Whether it serves, only its socket shows: supervisord knows no more than how long it has run.
        ready=state in ("STARTING", *RUNNING) or bool(orphans),
        # It was added by us and not stopped since, so it exited by itself.
        failing=state in EXITED or bool(process and process["stop"]),
        enabled=enabled,
        pid=pid or min(orphans, default=0),
    )


def _wait_until_ended(name: str, timeout: float) -> None:
    """Stop all processes of a slot and wait until they have exited; kill them after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    terminated: set[_processes.Process] = set()
    family: set[_processes.Process] = set()
    killed = False
    while time.monotonic() < deadline + KILL_TIMEOUT:
        process = (_supervisor_rpc.process_info() or {}).get(name, {})
        if process.get("statename") in (*STARTING, *RUNNING):
            _supervisor_rpc.try_call("stopProcess", f"{name}:{name}", False)
        running = _processes.all_processes()
        found = masters([name])[name]
        for master in found - terminated:
            terminated.add(master)
            if master[0] != process.get("pid"):  # an orphan, which supervisord does not stop
                with contextlib.suppress(ProcessLookupError):
                    os.kill(master[0], signal.SIGTERM)
        family |= _processes.with_descendants([master[0] for master in found], running)
        if not found and process.get("statename") not in (*STARTING, *RUNNING, *STOPPING):
            break
        if time.monotonic() > deadline and not killed:
            killed = True
            _processes.kill(family)
        time.sleep(0.2)
    _processes.kill(family)


def _remove(name: str) -> None:
    """Remove a program that has exited from supervisord, if it knows it."""
    deadline = time.monotonic() + _supervisor_rpc.TIMEOUT
    while (
        name in (_supervisor_rpc.process_info() or {})
        and not _supervisor_rpc.try_call("removeProcessGroup", name)
        and time.monotonic() < deadline
    ):
        _supervisor_rpc.try_call("stopProcess", f"{name}:{name}", False)
        time.sleep(0.2)


def _refusal(error: Exception) -> str:
    if isinstance(error, xmlrpc.client.Fault) and error.faultCode == _supervisor_rpc.CANT_REREAD:
        reason = " ".join(error.faultString.removeprefix("CANT_REREAD:").split()).rstrip(".")
        return (
            f"supervisord cannot read its configuration: {reason}; fix the file in {_layout.PROGRAMS}."
            " Running programs were not touched."
        )
    if isinstance(error, xmlrpc.client.Fault) and error.faultCode == _supervisor_rpc.BAD_NAME:
        files = f"{_layout.PROGRAMS}/*.conf"
        main = _supervisor_files.CONFIGURATION
        return f"supervisord does not read {files}; add that to files in the section include of {main} and run again."
    reason = error.faultString if isinstance(error, xmlrpc.client.Fault) else str(error)
    return f"supervisord refuses the app's program: {reason}; see /var/log/supervisor/supervisord.log."


def _ensure_running() -> None:
    """Start supervisord, now and at boot, with the programs of everybody, if it does not run.

    :raises StackError: it does not start
    """
    unit = unit_states([_layout.SUPERVISOR])[_layout.SUPERVISOR]
    if unit.enabled and _supervisor_rpc.process_info() is not None:
        return
    began = time.time()
    done = run(["systemctl", "enable", "--now", "--quiet", _layout.SUPERVISOR])
    deadline = time.monotonic() + START_TIMEOUT
    while done.code == 0 and time.monotonic() < deadline:
        if _supervisor_rpc.process_info() is not None:
            return
        # Not ``failing``: the unit counts its restarts since before, as of a supervisord that was killed.
        if not unit_states([_layout.SUPERVISOR])[_layout.SUPERVISOR].active:
            break
        time.sleep(0.1)
    log = _systemd.journal([_systemd.written_by(_layout.SUPERVISOR)], began)
    relevant = "\n".join(line for line in log.splitlines() if "For help" not in line)
    if done.code:
        raise StackError("supervisor", refusal(done, "supervisor", relevant), log)
    line = decisive_line(relevant)
    cause = f"{_layout.SUPERVISOR} does not start{f': {line}' if line else ''}; fix that, see journalctl -u supervisor."
    raise StackError("supervisor", cause, log)


def _make_log_directory() -> None:
    # supervisord makes its logs readable by everybody, and an app may log secrets.
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
