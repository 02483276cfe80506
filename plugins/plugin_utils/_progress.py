# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Signs of life of a step that takes long. Ansible shows what a module returns, and nothing before it does."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from typing import Callable

from ansible_collections.wsgi.stack.plugins.module_utils import _progress
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display
from ansible_collections.wsgi.stack.plugins.plugin_utils import _beside

INTERVAL = 30.0
"""Seconds between two lines."""

SHOWN = 5
"""Apps that a line names at most."""

COMMAND = f"date +%s && cat {_progress.FILE}"
"""What shows how far a step is on a host, by the host's own clock."""


def lines(
    show: Callable[[str], None], host: str, task: str, apps: Sequence[str], ask: Callable[[], str]
) -> contextlib.AbstractContextManager[None]:
    """While the block runs, show that it does, for how long, and what it does for each app.

    :param show: shows a line
    :param task: what is done, the name of a task
    :param apps: the names of those that it is done for
    :param ask: what ``COMMAND`` prints on the host, "" if it fails
    """
    began = time.monotonic()

    def tell(ended: threading.Event) -> None:
        while not ended.wait(INTERVAL):
            asked = ask() if apps else ""
            if not ended.is_set():
                show(line(host, task, apps, time.monotonic() - began, asked))

    return _beside.running(tell)


def line(host: str, task: str, apps: Sequence[str], seconds: float, asked: str = "") -> str:
    """A line. Pure.

    :param asked: what ``COMMAND`` printed
    """
    begin, told = f"{host}: {task}", _told(apps, asked)
    if told:
        return f"{begin} has been running for {round(seconds)} s: {told}"
    return f"{begin}{f' ({_some(apps)})' if apps else ''} has been running for {round(seconds)} s"


def _told(apps: Sequence[str], asked: str) -> str:
    """How far a step is; "" if it says nothing of these apps, as one that has not begun, or one of another run."""
    try:
        clock, content = asked.splitlines()[-2:]  # sudo may have asked for a password before
        now, found = int(clock), json.loads(content)
        doing = {app: f"{app} {words} ({max(0, now - since)} s)" for app, words, since in found["doing"] if app in apps}
    except (ValueError, TypeError, KeyError):
        return ""
    if not doing:
        return ""
    return _display.shown("; ".join([f"{found['done']} of {found['total']} done", _some([*doing.values()], "; ")]))


def _some(words: Sequence[str], between: str = ", ") -> str:
    rest = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return between.join(words[:SHOWN]) + rest
