# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What servers leave behind under the Emperor and supervisor, such as a daemon: a unit of its own would have ended it."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import time
from collections.abc import Collection

from ansible_collections.wsgi.stack.plugins.module_utils.host import _control_group, _processes

KILL_TIMEOUT = 5
"""Seconds that processes have to be gone after SIGKILL."""


def kill(unit: str, user: str, masters: Collection[int]) -> None:
    """Kill the processes of a user in a service that no server has started which is known there.

    One that forks and exits all the time is never where it was seen, so the service stands still meanwhile: some milliseconds,
    and only if there is such a process.

    :param masters: the process ids of all servers that the service runs, also of others
    """
    group = _control_group.directory(unit)
    if not group:
        return
    uid = pwd.getpwnam(user).pw_uid
    if not any(uids is None or uid in uids for uids in _unknown(group, masters).values()):
        return
    killed: set[_processes.Process] = set()
    deadline = time.monotonic() + KILL_TIMEOUT
    with _control_group.frozen(unit, group):
        while time.monotonic() < deadline:
            found = {process for process, uids in _unknown(group, masters).items() if uids and uid in uids} - killed
            if not found:
                break
            for pid, _start in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed |= found
    while killed & {*_control_group.members(group)} and time.monotonic() < deadline:
        time.sleep(0.1)


def _unknown(group: str, masters: Collection[int]) -> dict[_processes.Process, set[int] | None]:
    """The processes in a control group that no server has started, each with its users; None if it has ended by now."""
    running = _control_group.members(group)
    known = _processes.with_descendants(masters, {process: parent or 0 for process, parent in running.items()})
    return {process: uids_of(process[0]) for process in running if process not in known}


def uids_of(pid: int) -> set[int] | None:
    """The ids of the users that a process runs as: more than one if it is a setuid program; None if it is gone."""
    try:
        return set(map(int, _processes.status(pid)["Uid"]))
    except (OSError, KeyError):
        return None
