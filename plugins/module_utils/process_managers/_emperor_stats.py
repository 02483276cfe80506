# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The stats socket of the uWSGI Emperor: which vassals it runs, and in which state each of them is."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout

TIMEOUT = 5
"""Seconds that the Emperor has for its answer."""


@dataclass(frozen=True)
class Vassal:
    """A vassal, in the words of the Emperor.

    :ivar pid: -1 while it has no process
    :ivar accepting: one of its workers accepts requests
    :ivar cursed: it is being stopped, or put to sleep
    :ivar on_demand: the Emperor holds its socket, and starts it at the first connection
    """

    pid: int
    accepting: bool
    cursed: bool
    on_demand: bool = False


@dataclass(frozen=True)
class EmperorStats:
    """The vassals by the names of their files, and how often each exited before its first request."""

    vassals: dict[str, Vassal] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)


def stats() -> EmperorStats | None:
    """The stats of the Emperor, None if it does not run. A request also makes it scan its directory at once."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(_layout.EMPEROR_STATS)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return parse(json.loads(answer))
    except (OSError, ValueError):
        return None


def parse(answer: dict[str, Any]) -> EmperorStats:
    """Read an answer of the stats socket. Pure.

    A vassal that exited and is being replaced is listed twice, the new one last. ``attempt`` of the blacklist counts from 0, and
    a vassal stays there until it has answered a request, even after it was removed.
    """
    vassals = {
        vassal["id"]: Vassal(
            pid=vassal["pid"],
            accepting=vassal["accepting"] == 1,
            cursed=vassal["cursed"] != 0,
            on_demand=vassal["on_demand"] != "",
        )
        for vassal in answer["vassals"]
    }
    return EmperorStats(vassals, {entry["id"]: entry["attempt"] + 1 for entry in answer["blacklist"]})
