# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers leave behind under the Emperor and supervisor, such as a daemon: a unit of its own would have ended it."""

from __future__ import annotations

import math
import os
import pwd
import time

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _systemd

KILL_TIMEOUT = 5
"""Seconds that processes have to be gone after SIGKILL."""

UNITS = (_layout.EMPEROR, _layout.SUPERVISOR)


def kill(user: str, before: float = math.inf) -> None:
    """Kill a user's processes in these services that nothing in there started, or whose parents have exited.

    What somebody else has supervisor run as that user goes on.

    :param before: only those that began before that time, in seconds since the epoch
    """
    uid = pwd.getpwnam(user).pw_uid
    running = _processes.all_processes()
    kept = {process for unit in UNITS for process in _processes.with_descendants(_systemd.main_pid(unit), running)}
    theirs = {process for process in running if user_of(process[0]) == uid} - kept
    orphans = {
        process
        for process in theirs
        if _processes.unit(process[0]) in UNITS and (before == math.inf or _processes.started(process[0]) < before)
    }
    _processes.kill(orphans)
    deadline = time.monotonic() + KILL_TIMEOUT
    while orphans & set(_processes.all_processes()) and time.monotonic() < deadline:
        time.sleep(0.1)


def user_of(pid: int) -> int | None:
    """The id of the user that a process runs as; None if it is gone."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
