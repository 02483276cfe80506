# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes hold a listening socket, also where ss(8) may not say so, as in many containers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener

TIMEOUT = 20  # seconds
FILLING = 0.75
"""How full a listen queue is that is filling; a server that keeps up has next to nothing in it."""

LEAST = 4
"""A queue of fewer connections is no sign of anything."""


def inodes() -> dict[str, str]:
    """The inode of each listening socket, by its address: ``unix:/path`` or ``host:port``."""
    words = ["ss", "--unix", "--tcp", "--listening", "--numeric", "--extended", "--no-header"]
    return parse(run(words, timeout=TIMEOUT).output)


def parse(output: str) -> dict[str, str]:
    """The same from what ss(8) prints: type, state, two queues, address, and for a unix socket its inode. Pure."""
    found = {}
    for row in (line.split() for line in output.splitlines()):
        if len(row) > 5 and row[1] == "LISTEN":
            if row[0].startswith("u_"):
                found[f"unix:{row[4]}"] = row[5]
            else:
                match = re.search(r"\bino:(\d+)", " ".join(row))
                found[row[4]] = match[1] if match else ""
    return found


def holders(inode: str, links: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """The processes that have a socket open. Pure.

    :param links: see ``_descriptors.look``
    """
    target = f"socket:[{inode}]"
    return sorted(pid for pid, found in links.items() if target in found["files"].values()) if inode else []


def somaxconn() -> int:
    """The longest listen queue that the kernel allows, 0 if it cannot be known."""
    try:
        with open("/proc/sys/net/core/somaxconn", encoding="ascii") as stream:
            return int(stream.read())
    except (OSError, ValueError):
        return 0


def judge_queue(address: str, before: Listener | None, after: Listener | None, restart: str) -> list[Finding]:
    """Whether connections pile up. Pure.

    :param before: the socket at the beginning, ``after`` at the end of the examination: a queue that is full for a moment is none
    """
    if before is None or after is None or min(before.waiting, after.waiting) < max(LEAST, FILLING * after.limit):
        return []
    summary = f"{after.waiting} connections wait on {address}, and {after.limit} may: the app does not keep up, or hangs."
    fix = f"look at what it is doing; more processes or threads help if it is busy, and if it hangs: {restart}"
    return [Finding(WARNING, "backlog_filling", summary, (f"Recv-Q={after.waiting} Send-Q={after.limit}",), fix)]
