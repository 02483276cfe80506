# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The symlinks in /proc/PID: the working directory of a process, and its open files and sockets.

This file imports nothing of ours: its text also runs as a program, see ``_hidden``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

FILES = 10000
"""File descriptors of a process that are read at most."""


def look(pids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Read the links of processes.

    :returns: by process id, ``cwd`` and ``files``, the target of each file descriptor; without processes that may not be read
    """
    found: dict[int, dict[str, Any]] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            found[pid] = {"cwd": os.readlink(f"/proc/{pid}/cwd"), "files": _files(pid)}
    return found


def _files(pid: int) -> dict[str, str]:
    found = {}
    with os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in itertools.islice(entries, FILES):
            with contextlib.suppress(OSError):
                found[entry.name] = os.readlink(entry.path)
    return found


if __name__ == "__main__":
    json.dump(look(map(int, sys.argv[1:])), sys.stdout)
