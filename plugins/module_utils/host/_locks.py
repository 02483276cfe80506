# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Locks between runs on the same host."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD

DIRECTORY = "/var/lib/wsgi/locks"
"""Where all locks are. Only root gets in: whoever can open a file, or a directory, can lock it for as long as he likes."""


def path(name: str) -> str:
    """The file of a lock, which is there while it is held, or was left by a run that was killed."""
    return os.path.join(DIRECTORY, name)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold an exclusive lock; waits, without a limit, for a run that holds it.

    The kernel releases the lock when the process ends, also when it is killed, see flock(2).

    :param name: what is worked on
    """
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    lock = _acquire(path(name))
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path(name))
        os.close(lock)


def _acquire(file: str) -> int:
    """The descriptor of a lock's file, locked. Who had it before has removed the file, and another may have made it again."""
    while True:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = os.pread(lock, 20, 0).decode(errors="replace")
            BOARD.does(f"waits for another run, process {process} on the host" if process.isdigit() else "waits for another run")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(file), os.fstat(lock)):
                with contextlib.suppress(OSError):  # of a full disk: it is for those who wait
                    os.ftruncate(lock, 0)
                    os.pwrite(lock, str(os.getpid()).encode(), 0)
                return lock
        os.close(lock)
