# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Workers and timers as a user writes them: dictionaries by name."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _calendar
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import (
    REQUIRED,
    Check,
    Schema,
    boolean,
    checked_key,
    command,
    dictionary,
    integer,
    one_of,
    shown,
    text,
)

NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")

SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH")


def calendar_event(value: Any) -> str:
    wanted = "a calendar event of systemd.time(7), such as daily or Mon..Fri 03:30"
    event = text(wanted=wanted)(value)
    if not _calendar.valid(event):
        raise ValueError(wanted)
    return event


WORKER: Schema = {
    "command": (command, REQUIRED),
    "count": (integer(1, 64), 1),
    "single": (boolean, False),
    "stop_timeout": (integer(1, 86400), 30),
    "stop_signal": (one_of(*SIGNALS), "SIGTERM"),
}

TIMER: Schema = {
    "command": (command, REQUIRED),
    "schedule": (calendar_event, REQUIRED),
    "on": (one_of("first_host", "all"), "first_host"),
}


def workers(value: Any) -> dict[str, Any]:
    return _named(value, dictionary(WORKER))


def timers(value: Any) -> dict[str, Any]:
    return _named(value, _timer)


def _timer(value: Any) -> dict[str, Any]:
    # YAML takes the key ``on`` for true, unless it is in quotes.
    given = {"on" if key is True else key: each for key, each in value.items()} if isinstance(value, dict) else value
    return dictionary(TIMER)(given)


def _named(value: Any, element: Check) -> dict[str, Any]:
    wanted = "a dictionary by name, each 1 to 31 lower-case letters, digits, underscores and hyphens, a letter first"
    if not isinstance(value, dict):
        raise ValueError(wanted)
    for name in value:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{wanted}; {shown(name)} is something else")
    return {str(name): checked_key(str(name), element, each) for name, each in value.items()}


def check(app: dict[str, Any]) -> None:
    """Refuse values that contradict each other.

    :raises InventoryError: the first mistake found
    """
    for name, worker in app["workers"].items():
        if worker["single"] and worker["count"] > 1:
            raise InventoryError(
                f"workers.{name}: single: true allows one process, and count is {worker['count']}; remove one of the two."
            )
    both = sorted({*app["workers"]} & {*app["timers"]})
    if both:
        raise InventoryError(f"timers.{both[0]}: a worker has this name, too; rename one of them.")


def any_for_first_host(app: App) -> bool:
    """Whether an app has workers or timers that run on one host only. Pure."""
    return any(worker["single"] for worker in app["workers"].values()) or any(
        timer["on"] == "first_host" for timer in app["timers"].values()
    )
