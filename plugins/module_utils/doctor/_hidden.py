# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The symlinks in /proc/PID that root may not read, as in a container without CAP_SYS_PTRACE: the user of a process may."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _descriptors
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox

PROGRAM = inspect.getsource(_descriptors)  # here, since linecache fails if several threads ask at once
"""What runs as each user."""

TIMEOUT = 10  # seconds
LIMIT = 1 << 22
"""Bytes of what is read as one user."""

AT_ONCE = 8
"""Users as whom links are read at the same time: each can make it take the whole time."""


def look_as_users(pids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """As ``_descriptors.look``; where root is refused, as the user of the process."""
    pids = list(pids)
    found = _descriptors.look(pids)
    if os.geteuid() != 0:
        return found
    hidden: dict[tuple[int, int], list[int]] = {}
    for pid in pids:
        if pid not in found:
            with contextlib.suppress(OSError):
                owner = os.stat(f"/proc/{pid}")
                if owner.st_uid != 0:
                    hidden.setdefault((owner.st_uid, owner.st_gid), []).append(pid)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for answer in pool.map(_asked, hidden, hidden.values()):
            found.update(answer)
    return found


def parsed(output: str, pids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What the program has printed, which the user of the processes can change at will. Pure."""
    try:
        answer = {int(pid): (str(links["cwd"]), dict(links["files"])) for pid, links in json.loads(output).items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    files = {pid: {str(name): str(target) for name, target in answer[pid][1].items()} for pid in pids if pid in answer}
    return {pid: {"cwd": answer[pid][0], "files": found} for pid, found in files.items()}


def _asked(ids: tuple[int, int], pids: list[int]) -> dict[int, dict[str, Any]]:
    sandbox = _sandbox.as_ids("Open files of processes, for a diagnosis", *ids)
    program = [sys.executable, "-I", "-S", "-c", PROGRAM, *map(str, pids)]
    done = sandbox.run([program], timeout=TIMEOUT, limit=LIMIT)
    return {} if done.code else parsed(done.output, pids)
