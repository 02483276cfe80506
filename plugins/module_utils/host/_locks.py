# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping runs apart that change the same place."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """Wait for other runs to be done with a directory, and keep them away from it meanwhile.

    The kernel gives the lock back when its holder ends, however that happens.
    """
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
