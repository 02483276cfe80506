# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The control group of a service, see cgroups(7): which processes are in it, and a way to stop all of them at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator

from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import started

ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
"""Where version 2 is mounted: alone, or beside version 1."""

FREEZE_TIMEOUT = 1
"""Seconds that the kernel has to stop all processes; one that hangs in a system call does not start any other meanwhile."""

THAW_TIMEOUT = 10
"""Seconds after which systemd has the processes go on, whatever has become of who stopped them."""

GUARD_TIMEOUT = 60
"""Seconds that others who have stopped the same service have to be done."""


def directory(unit: str) -> str | None:
    """The control group of a service with processes; None if there is none, or only one of version 1, which does not do."""
    path = _systemd.properties(unit, ["ControlGroup"]).get("ControlGroup")
    found = [f"{root}{path}" for root in ROOTS if path and os.path.exists(f"{root}{path}/cgroup.freeze")]
    return found[0] if found else None


def members(group: str) -> dict[_processes.Process, int | None]:
    """The processes in a control group, each with the id of its parent: None, and 0 as its start, if it has ended by now."""
    try:
        with open(f"{group}/cgroup.procs", encoding="ascii") as stream:
            pids = [int(line) for line in stream]
    except OSError:
        return {}
    found: dict[_processes.Process, int | None] = {}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
                process, parent = _processes.parsed(stream.read())
                found[process] = parent
        except OSError:
            found[pid, 0] = None
    return found


@contextlib.contextmanager
def frozen(unit: str, group: str) -> Iterator[None]:
    """Stop all processes of a service while the block lasts. They can be killed, but neither fork nor end by themselves.

    They run on if systemd refuses its part, which is to have them go on in any case, as when this process is killed.
    """
    guard = _guard(unit, group)
    if guard is None:
        yield
        return
    with guard:  # its end is that of the unit
        try:
            _set_frozen(group, True)
            deadline = time.monotonic() + FREEZE_TIMEOUT
            while not _is_frozen(group) and time.monotonic() < deadline:
                time.sleep(0.001)
            yield
        finally:
            _set_frozen(group, False)


def _guard(unit: str, group: str) -> subprocess.Popen[bytes] | None:
    """A unit that has the processes go on as soon as this process ends or closes the pipe; there is one at a time."""
    thaw = "/bin/sh -c 'echo 0 >\"$$GROUP/cgroup.freeze\"'"
    properties = [f"--property={value}" for value in (f"RuntimeMaxSec={THAW_TIMEOUT}", f"ExecStopPost={thaw}")]
    options = ["--quiet", "--pipe", "--wait", "--collect", f"--unit=wsgi-thaw-{unit}", f"--setenv=GROUP={group}", *properties]
    deadline = time.monotonic() + GUARD_TIMEOUT
    while time.monotonic() < deadline:
        command = ["systemd-run", *options, "/bin/sh", "-c", "echo; exec cat"]
        guard = started(command, {}, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if guard.stdout and guard.stdout.readline():
            return guard
        guard.communicate()
        time.sleep(0.1)
    return None


def _set_frozen(group: str, wanted: bool) -> None:
    with contextlib.suppress(OSError), open(f"{group}/cgroup.freeze", "w", encoding="ascii") as stream:  # gone if empty
        stream.write(str(int(wanted)))


def _is_frozen(group: str) -> bool:
    try:
        with open(f"{group}/cgroup.events", encoding="ascii") as stream:
            return "frozen 1" in stream.read()
    except OSError:
        return True
