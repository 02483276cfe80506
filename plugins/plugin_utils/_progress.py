# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Signs of life of a step that takes long. Ansible shows what a module returns, and nothing before it does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Callable

INTERVAL = 30.0
"""Seconds between two lines."""

SHOWN = 5
"""Apps that a line names at most."""


@contextlib.contextmanager
def lines(show: Callable[[str], None], host: str, task: str, apps: Sequence[str]) -> Iterator[None]:
    """While the block runs, show that it does, and for how long.

    :param show: shows a line
    :param task: what is done, the name of a task
    :param apps: the names of those that it is done for
    """
    began, ended = time.monotonic(), threading.Event()

    def tell() -> None:
        while not ended.wait(INTERVAL):
            show(line(host, task, apps, time.monotonic() - began))

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def line(host: str, task: str, apps: Sequence[str], seconds: float) -> str:
    """A line. Pure."""
    rest = f" and {len(apps) - SHOWN} more" if len(apps) > SHOWN else ""
    who = f" ({', '.join(apps[:SHOWN])}{rest})" if apps else ""
    return f"{host}: {task}{who} has been running for {round(seconds)} s"
