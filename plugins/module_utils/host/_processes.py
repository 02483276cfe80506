# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Processes as /proc shows them: owner, start, children, memory, and files that were replaced since they were loaded."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _systemd, _untrusted

PROGRAM = re.compile(r"/s?bin/[^/]+$|_plugin\.so$|/libpython[^/]*$")
"""The mapped files whose replacement calls for a restart: executables, plugins of uWSGI, and libpython."""

DELETED = " (deleted)"
COMMAND_LINE, MAPS = 1 << 14, 1 << 22
"""Bytes that are read at most of a command line, and of /proc/PID/maps."""

Process = tuple[int, int]
"""A process: its id and its start, in clock ticks after the boot. An id alone is reused."""


def replaced(pid: int) -> list[str]:
    """The programs and libraries of a process that were replaced on the disk after it loaded them, as by an upgrade.

    Read from /proc/PID/maps, not /proc/PID/exe: reading that link takes a capability that root lacks in some containers.

    :returns: their paths, sorted; empty if the process is gone
    """
    return replaced_in(text(pid, "maps", MAPS))


def replaced_in(maps: str) -> list[str]:
    """The same from the text of /proc/PID/maps, whose sixth column is the path of the mapped file, see proc(5). Pure."""
    gone = (path.removesuffix(DELETED) for path in mapped_files(maps) if path.endswith(DELETED))
    return [path for path in gone if PROGRAM.search(path)]


def mapped_files(maps: str) -> list[str]:
    """The files in the text of /proc/PID/maps, sorted; after the name of one that is gone stands ``DELETED``. Pure."""
    columns = (line.split(maxsplit=5) for line in maps.splitlines())
    return sorted({words[5] for words in columns if len(words) == 6 and words[5].startswith("/")})


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


def with_descendants(pids: Collection[int], processes: dict[Process, int]) -> set[Process]:
    """Some processes with their children, their children, and so on. Pure.

    :param processes: see ``all_processes``
    """
    members = {process for process in processes if process[0] in pids}
    while True:
        ids = {member[0] for member in members}
        more = {process for process, parent in processes.items() if parent in ids} - members
        if not more:
            return members
        members |= more


def command_line(pid: int) -> list[str]:
    """The command line of a process, its beginning if it is long; [""] if it is gone.

    Any process can have any command line: only that of root's processes is true, see ``is_roots``.
    """
    return text(pid, "cmdline", COMMAND_LINE).rstrip("\0").split("\0")


def command_lines() -> dict[int, list[str]]:
    """The same of each process of the host, by its id."""
    return {pid: command_line(pid) for pid, _start in all_processes()}


def is_roots(pid: int) -> bool:
    """Whether root started a process, and it is root's still: a user may run a setuid program with any command line."""
    try:
        return set(status(pid)["Uid"]) == {"0"}
    except (OSError, KeyError):
        return False


def text(pid: int | str, name: str, limit: int = 1 << 20) -> str:
    """The beginning of a file in /proc/PID, "" if it cannot be read. Its user has a say in its size.

    :param limit: in bytes
    """
    return _untrusted.text_or_none(f"/proc/{pid}/{name}", limit) or ""


def memory(pid: int) -> int | None:
    """The memory of a process in bytes, with shared pages divided among those that share them (PSS); None if unknown."""
    sizes = re.findall(r"^Pss:\s+(\d+) kB$", text(pid, "smaps_rollup"), re.MULTILINE)
    return int(sizes[0]) * 1024 if sizes else None


def unit(pid: int) -> str | None:
    """The systemd service that a process belongs to, from its control group; None if it belongs to none, or is gone."""
    return next(iter(re.findall(r"/([^/\n]+\.service)", text(pid, "cgroup"))), None)


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
    return ListeningProcess(pid, uid, tuple(command_line(pid)), unit(pid) or "", started(pid))


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
