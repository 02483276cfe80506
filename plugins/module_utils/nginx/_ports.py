# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Ports that another process has, which nginx says of none when it is started or reloaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _sockets, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener


def taken(listens: Iterable[str], service: str) -> str:
    """Which process has a port that a service is to listen on, and what to do, in a sentence; "" if none has.

    :param listens: see ``holder``
    :param service: the unit, whose own process may have the port
    """
    found = holder(listens, _sockets.listeners(), _systemd.main_pid(service))
    if found is None:
        return ""
    process = next(filter(None, map(_processes.described, found.pids)), None)
    unit = f" of {process.unit}" if process and process.unit else ""
    who = f"{process.name}{unit}" if process else "a process that is not visible from here"
    port = found.address.rpartition(":")[2]
    return f"port {port} is taken by {who}, which listens at {found.address}; stop it, or give nginx another port."


def holder(listens: Iterable[str], listeners: Sequence[Listener], own: int) -> Listener | None:
    """The first socket of another process that is in the way. Pure.

    :param listens: addresses as arguments of nginx's ``listen`` without an IP address: ``80``, ``[::]:80``
    :param own: the main process of the service, 0 if it does not run
    """
    for listen in listens:
        address, _colon, port = listen.rpartition(":")
        at = [found for found in listeners if not found.address.startswith("unix:") and found.address.endswith(f":{port}")]
        if any(own in found.pids for found in at):
            continue
        # ss(8) shows a socket for both families as *, and one that is for IPv6 only in brackets.
        others = [found for found in at if found.address.startswith("*") or found.address.startswith("[") == bool(address)]
        if others:
            return others[0]
    return None
