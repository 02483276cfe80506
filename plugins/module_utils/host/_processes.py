# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes as /proc shows them: owner, start, children, memory, and files that were replaced since they were loaded."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _systemd

PROGRAM = re.compile(r"/s?bin/[^/]+$|_plugin\.so$|/libpython[^/]*$")
"""The mapped files whose replacement calls for a restart: executables, plugins of uWSGI, and libpython."""

DELETED = " (deleted)"

Process = tuple[int, int]
"""A process: its id and its start, in clock ticks after the boot. An id alone is reused."""


def replaced(pid: int) -> list[str]:
    """The programs and libraries of a process that were replaced on the disk after it loaded them, as by an upgrade.

    Read from /proc/PID/maps, not /proc/PID/exe: reading that link takes a capability that root lacks in some containers.

    :returns: their paths, sorted; empty if the process is gone
    """
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as stream:
            return replaced_in(stream.read())
    except OSError:
        return []


def replaced_in(maps: str) -> list[str]:
    """The same from the text of /proc/PID/maps, whose sixth column is the path of the mapped file, see proc(5). Pure."""
    columns = (line.split(maxsplit=5) for line in maps.splitlines())
    gone = {words[5][: -len(DELETED)] for words in columns if len(words) == 6 and words[5].endswith(DELETED)}
    return sorted(path for path in gone if PROGRAM.search(path))


def all_processes() -> dict[Process, int]:
    """All processes of the host, each with the id of its parent."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stream:
                process, parent = parsed(stream.read())
                found[process] = parent
    return found


def parsed(stat: str) -> tuple[Process, int]:
    """A process and its parent's id from the text of /proc/PID/stat, see proc(5). Pure.

    The second field is the program's name in brackets; the name itself may contain blanks and brackets.
    """
    pid, _bracket, rest = stat.partition(" (")
    words = rest.rpartition(") ")[2].split()
    return (int(pid), int(words[19])), int(words[1])


def with_descendants(pid: int, processes: dict[Process, int]) -> set[Process]:
    """A process with its children, their children, and so on. Pure.

    :param processes: see ``all_processes``
    """
    members = {process for process in processes if process[0] == pid}
    while True:
        ids = {member[0] for member in members}
        more = {process for process, parent in processes.items() if parent in ids} - members
        if not more:
            return members
        members |= more


def command_lines() -> dict[int, list[str]]:
    """The command line of each process of the host, by its id."""
    found = {}
    for pid, _start in all_processes():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as stream:
            found[pid] = stream.read().rstrip("\0").split("\0")
    return found


def memory(pid: int) -> int | None:
    """The memory of a process in bytes, with shared pages divided among those that share them (PSS); None if unknown."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as stream:
            sizes = re.findall(r"^Pss:\s+(\d+) kB$", stream.read(), re.MULTILINE)
    except OSError:
        return None
    return int(sizes[0]) * 1024 if sizes else None


def unit(pid: int) -> str | None:
    """The systemd service that a process belongs to, from its control group; None if it belongs to none, or is gone."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as stream:
            return next(iter(re.findall(r"/([^/\n]+\.service)", stream.read())), None)
    except OSError:
        return None


@dataclass(frozen=True)
class ListeningProcess:
    """A process that runs, as a rule one that listens on a socket.

    :ivar uid: of the user whose files it may open
    :ivar command: its command line
    :ivar unit: the service of systemd that it belongs to, "" if it belongs to none
    :ivar started: seconds since the epoch
    """

    pid: int
    uid: int
    command: tuple[str, ...] = ()
    unit: str = ""
    started: float = 0.0

    @property
    def user(self) -> str:
        """The name of the user it runs as."""
        return _accounts.user_name(self.uid)

    @property
    def name(self) -> str:
        """The process in words."""
        program = os.path.basename(self.command[0].split(" ")[0].rstrip(":")) if self.command and self.command[0] else "process"
        return f"{program} (process {self.pid}, user {self.user})"

    def result(self) -> dict[str, object]:
        """The process as modules return it."""
        return {"pid": self.pid, "user": self.user, "command": " ".join(self.command), "unit": self.unit}


def described(pid: int) -> ListeningProcess | None:
    """A process that runs, None if it is gone."""
    try:
        uid = int(status(pid)["Uid"][3])
    except OSError:
        return None
    return ListeningProcess(pid, uid, tuple(command_lines().get(pid, [])), unit(pid) or "", started(pid))


def main_process(service: str) -> ListeningProcess | None:
    """The main process of a service of systemd, None if it does not run."""
    pid = _systemd.main_pid(service)
    return described(pid) if pid > 1 else None


def started(pid: int) -> float:
    """When a process began, in seconds since the epoch; 0 if it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
        (_pid, ticks), _parent = parsed(stream.read())
        with open("/proc/uptime", encoding="ascii") as uptime:
            booted = time.time() - float(uptime.read().split()[0])
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


def status(pid: int | str) -> dict[str, list[str]]:
    """The words of each line of /proc/PID/status, by the line's name, see proc(5).

    :param pid: a process id, or ``self``
    :raises OSError: there is no such process
    """
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as stream:
        return status_fields(stream)


def status_fields(lines: Iterable[str]) -> dict[str, list[str]]:
    """The same from the lines of that file. Pure."""
    pairs = (line.partition(":") for line in lines)
    return {name: rest.split() for name, _colon, rest in pairs}


def kill(processes: set[Process]) -> None:
    """Kill those of some processes that still run, with SIGKILL."""
    for pid, _start in processes & set(all_processes()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
