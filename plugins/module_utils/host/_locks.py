# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between runs that change the same directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """Hold an exclusive lock on a directory; waits, without a limit, for a run that holds it.

    The kernel releases the lock when the process ends, also when it is killed, see flock(2).

    :raises OSError: there is no such directory
    """
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
