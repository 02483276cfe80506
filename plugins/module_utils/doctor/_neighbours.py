# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Apps that can send requests to one another past nginx: one finding for the host, however many they are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding

CODE = "other_app"
"""The code that ``socket_access_info`` has for it."""

FIX = "Give each app a user and a group of its own, and none of them nginx's group."
SHOWN = 10
"""Sockets that are named at most."""

Warnings = Sequence[dict[str, str]]


def judge(sockets: Sequence[tuple[str, Warnings]]) -> list[Finding]:
    """Sum up the warnings of all sockets.

    :param sockets: the address of each, and its warnings of this code
    """
    open_ones = [(address, warnings) for address, warnings in sockets if warnings]
    if not open_ones:
        return []
    count = len(open_ones)
    whose = "the socket of an app" if count == 1 else f"the sockets of {count} apps"
    message = f"Users of other apps can send requests to {whose}, past nginx and its checks."
    evidence = [f"{warnings[0]['message']}{_others(len(warnings) - 1)}" for _address, warnings in open_ones[:SHOWN]]
    if count > SHOWN:
        evidence.append(f"Not shown: {count - SHOWN} more.")
    fixes = list(dict.fromkeys(warnings[0]["fix"] for _address, warnings in open_ones))
    quick = " && ".join(fixes) if all(fixes) else ""
    return [Finding(WARNING, CODE, message, tuple(evidence), FIX, quick_fix=quick)]


def _others(count: int) -> str:
    return f" So can {count} other user{'' if count == 1 else 's'}." if count > 0 else ""
