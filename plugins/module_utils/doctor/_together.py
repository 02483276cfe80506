# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Calls at the same time, none of which can delay the others: whoever is at the other end may never finish."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from typing import Callable, TypeVar

T = TypeVar("T")

AT_ONCE = 64
"""Number of concurrent calls; they mostly wait."""


def together(calls: Sequence[Callable[[], T]], seconds: float, at_once: int = AT_ONCE) -> list[T | None]:
    """Make all calls.

    :param seconds: for all of them
    :returns: the results in the same order, None for each call that failed or was not ready in time
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    ready: queue.SimpleQueue[tuple[int, T | None]] = queue.SimpleQueue()
    for number in range(len(calls)):
        waiting.put(number)

    def work() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                number = waiting.get_nowait()
                result: T | None = None
                try:
                    result = calls[number]()
                except Exception:  # whatever it is, the others go on
                    result = None
                ready.put((number, result))

    for _worker in range(min(at_once, len(calls))):
        threading.Thread(target=work, daemon=True).start()  # none is waited for when the module ends
    found: list[T | None] = [None] * len(calls)
    deadline = time.monotonic() + seconds
    with contextlib.suppress(queue.Empty):
        for _call in calls:
            number, result = ready.get(timeout=max(0.01, deadline - time.monotonic()))
            found[number] = result
    return found
