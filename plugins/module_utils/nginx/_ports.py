# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Ports that another process has, which nginx and systemd say of none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener

EVERYWHERE = ("", "*", "0.0.0.0", "[::]")
"""Addresses that stand for all of a family."""


def taken(listens: Iterable[str], listeners: Sequence[Listener], own: int, instead: str) -> str:
    """Which process has a port that another one is to listen on, and what to do, in a sentence; "" if none has.

    :param listens, listeners, own: see ``holder``
    :param instead: what to do if the process is to go on
    """
    found = holder(listens, listeners, own)
    if found is None:
        return ""
    process = next(filter(None, map(_processes.described, found.pids)), None)
    unit = f" of {process.unit}" if process and process.unit else ""
    who = f"{process.name}{unit}" if process else "a process that is not visible from here"
    port = found.address.rpartition(":")[2]
    return f"port {port} is taken by {who}, which listens at {found.address}; stop it, or {instead}."


def holder(listens: Iterable[str], listeners: Sequence[Listener], own: int) -> Listener | None:
    """The first socket of another process that is in the way. Pure.

    :param listens: addresses as arguments of nginx's ``listen``: ``80``, ``[::]:80``, ``127.0.0.1:8000``
    :param own: the process that is to listen there and may do so already, 0 if it does not run
    """
    for listen in listens:
        address, _colon, port = listen.rpartition(":")
        at = [found for found in listeners if not found.address.startswith("unix:") and found.address.endswith(f":{port}")]
        if any(own in found.pids for found in at):
            continue
        others = [found for found in at if _clash(address, re.sub(r"(%\w+)?:\d+$", "", found.address))]
        if others:
            return others[0]
    return None


def _clash(wanted: str, there: str) -> bool:
    """Whether two IP addresses cannot both be listened at on one port.

    :param there: as ss(8) shows it: ``*`` is a socket for both families, one in brackets is for IPv6 only
    """
    if there == "*":
        return True
    return wanted.startswith("[") == there.startswith("[") and (wanted == there or wanted in EVERYWHERE or there in EVERYWHERE)
