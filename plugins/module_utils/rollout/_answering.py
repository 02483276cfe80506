# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Whether every worker of a slot answers, and not only the one that is quickest to accept.

The kernel says which process sent an answer (SCM_CREDENTIALS in unix(7)). Those that have answered are stopped for as long as the
others are asked, so that these have to answer; it takes one more request for each worker, under any app server.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Callable

from ansible_collections.wsgi.stack.plugins.module_utils._layout import Layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._health import Answer

STOPPED = ("T", "t", "Z", "X", "")
"""The states of a thread that runs no more, see proc(5); "" is one that has gone meanwhile."""

STOP_TIMEOUT = 10.0
"""Seconds for a worker to be stopped; one in a system call that cannot be interrupted may take longer."""


def expected(layout: Layout, slot: str) -> int:
    """How many workers of a slot have to answer, as its release says."""
    try:
        return int(_release.of_slot(layout, slot)["server_processes"])
    except (OSError, ValueError, KeyError):
        return 1


def problem(master: int, count: int, ask: Callable[[int], Sequence[Answer]]) -> str:
    """What is wrong with the workers of a slot, "" if as many as there should be answer.

    :param master: the slot's main process
    :param count: how many workers there should be
    :param ask: sends the health check as often as it is told, all at once
    """
    seen: set[int] = set()
    with _continued(master):
        while len(seen) < count and count > 1:
            answers = ask(count - len(seen))
            for answer in answers:
                if not answer.healthy:
                    return f"{len(seen) or 'not all'} of {count} workers answered: {answer.text}"
            found = {answer.sender for answer in answers} - seen
            # An app may answer by processes of its own, which cannot be told from workers.
            if not found or not all(_stopped(pid, master) for pid in found):
                return ""
            seen |= found
    return ""


@contextlib.contextmanager
def _continued(master: int) -> Iterator[None]:
    """At the end of the block no worker is stopped, nor at its beginning, should an earlier run have been killed in it."""
    _signal_children(master, signal.SIGCONT)
    try:
        yield
    finally:
        _signal_children(master, signal.SIGCONT)


def _stopped(pid: int, master: int) -> bool:
    """Stop a worker, and say whether the process was one, or is gone.

    A worker goes on for a moment after the signal. On a busy host it would take the next request, and keep it while stopped.
    """
    if not _signal(pid, master, signal.SIGSTOP):
        return False
    deadline = time.monotonic() + STOP_TIMEOUT
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    return True


def _runs(pid: int) -> bool:
    """Whether a thread of a process is not stopped."""
    try:
        states = [_processes.text(pid, f"task/{task}/stat").rpartition(") ")[2][:1] for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:  # it is gone
        return False
    return any(state not in STOPPED for state in states)


def _signal_children(master: int, number: signal.Signals) -> None:
    for (pid, _start), parent in _processes.all_processes().items():
        if parent == master and master > 1:
            _signal(pid, master, number)


def _signal(pid: int, master: int, number: signal.Signals) -> bool:
    """Send a signal to a child of the master; False if the process is another's child."""
    try:
        descriptor = os.pidfd_open(pid)  # the same process from here on, also if its id is reused
    except OSError:
        return pid > 0
    try:
        _process, parent = _processes.parsed(_processes.text(pid, "stat"))
        if parent != master:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except (OSError, ValueError, IndexError):
        return True
    finally:
        os.close(descriptor)
    return True
