# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Listen queues, and the processes that hold a listening socket, even where ss(8) may not tell, as in many containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import then
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener

FILLING = 0.75
"""Fraction of a listen queue in use from which it counts as filling; it is nearly empty if the server keeps up."""

LEAST = 4
"""Fewer waiting connections mean nothing."""


def holders(inode: str, links: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """The processes that have a socket open. Pure.

    :param links: see ``_descriptors.look``
    """
    target = f"socket:[{inode}]"
    return sorted(pid for pid, found in links.items() if target in found["files"].values()) if inode else []


def judge_queue(address: str, before: Listener | None, after: Listener | None, restart: str) -> list[Finding]:
    """Warn if connections pile up. Pure.

    :param before: the socket at the beginning of the examination, ``after`` at its end: a short burst is no finding
    """
    if before is None or after is None or min(before.waiting, after.waiting) < max(LEAST, FILLING * after.limit):
        return []
    message = f"{after.waiting} of at most {after.limit} connections wait on {address}: the app is overloaded or hangs."
    fix = then("If the app is busy, give it more processes or threads. If it hangs, find out why", restart)
    return [Finding(WARNING, "backlog_filling", message, (f"Recv-Q={after.waiting} Send-Q={after.limit}",), fix)]
