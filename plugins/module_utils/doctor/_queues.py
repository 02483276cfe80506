# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes hold a listening socket, also where ss(8) may not say so, as in many containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener

FILLING = 0.75
"""How full a listen queue is that is filling; a server that keeps up has next to nothing in it."""

LEAST = 4
"""A queue of fewer connections is no sign of anything."""


def holders(inode: str, links: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """The processes that have a socket open. Pure.

    :param links: see ``_descriptors.look``
    """
    target = f"socket:[{inode}]"
    return sorted(pid for pid, found in links.items() if target in found["files"].values()) if inode else []


def judge_queue(address: str, before: Listener | None, after: Listener | None, restart: str) -> list[Finding]:
    """Whether connections pile up. Pure.

    :param before: the socket at the beginning, ``after`` at the end of the examination: a queue that is full for a moment is none
    """
    if before is None or after is None or min(before.waiting, after.waiting) < max(LEAST, FILLING * after.limit):
        return []
    message = f"{after.waiting} connections wait on {address}, and {after.limit} may: the app does not keep up, or hangs."
    fix = f"look at what it is doing; more processes or threads help if it is busy, and if it hangs: {restart}"
    return [Finding(WARNING, "backlog_filling", message, (f"Recv-Q={after.waiting} Send-Q={after.limit}",), fix)]
