# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes as /proc shows them: what a process has in memory, and which others it has started."""

from __future__ import annotations

import contextlib
import os
import re
import signal

PROGRAM = re.compile(r"/s?bin/[^/]+$|_plugin\.so$|/libpython[^/]*$")
"""What of a process's memory makes it another server when it is replaced: the executable, a plugin of uWSGI, a libpython."""

DELETED = " (deleted)"

Process = tuple[int, int]
"""A process: its id and its start, in clock ticks after the boot. An id alone is used again."""


def replaced(pid: int) -> list[str]:
    """The programs and libraries that a process runs and that are no longer the files of those names, as after an upgrade.

    Not from /proc/PID/exe: reading that link takes a capability that root does not have in every container.
    """
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as stream:
            return replaced_in(stream.read())
    except OSError:
        return []


def replaced_in(maps: str) -> list[str]:
    """The paths, sorted, from the text of /proc/PID/maps (proc(5)): its sixth column is the path of what is mapped."""
    columns = (line.split(maxsplit=5) for line in maps.splitlines())
    gone = {words[5][: -len(DELETED)] for words in columns if len(words) == 6 and words[5].endswith(DELETED)}
    return sorted(path for path in gone if PROGRAM.search(path))


def everybody() -> dict[Process, int]:
    """All processes of the host, and the id of each one's parent."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stream:
                process, parent = parsed(stream.read())
                found[process] = parent
    return found


def parsed(stat: str) -> tuple[Process, int]:
    """A process and its parent's id from the text of /proc/PID/stat (proc(5)); a name may have blanks and brackets in it."""
    pid, _bracket, rest = stat.partition(" (")
    words = rest.rpartition(") ")[2].split()
    return (int(pid), int(words[19])), int(words[1])


def family(pid: int, processes: dict[Process, int]) -> set[Process]:
    """A process with its children and theirs. Pure.

    :param processes: see ``everybody``
    """
    members = {process for process in processes if process[0] == pid}
    while True:
        ids = {member[0] for member in members}
        more = {process for process, parent in processes.items() if parent in ids} - members
        if not more:
            return members
        members |= more


def command_lines() -> dict[int, list[str]]:
    """How each process of the host was called, by its id."""
    found = {}
    for pid, _start in everybody():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as stream:
            found[pid] = stream.read().rstrip("\0").split("\0")
    return found


def memory(pid: int) -> int | None:
    """The memory of a process in bytes, what it shares with others divided among them (PSS); None if the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as stream:
            sizes = re.findall(r"^Pss:\s+(\d+) kB$", stream.read(), re.MULTILINE)
    except OSError:
        return None
    return int(sizes[0]) * 1024 if sizes else None


def unit(pid: int) -> str | None:
    """The service of systemd that a process belongs to."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as stream:
            return next(iter(re.findall(r"/([^/\n]+\.service)", stream.read())), None)
    except OSError:
        return None


def kill(processes: set[Process]) -> None:
    """Kill those of some processes that are still there."""
    for pid, _start in processes & set(everybody()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
