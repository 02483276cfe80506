# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Answers of the host that are asked for many times, and that do not change meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator
from concurrent.futures import Future
from typing import Any, Callable, Generic, TypeVar

Answer = TypeVar("Answer")


class Once(Generic[Answer]):
    """Asks each question once. Threads that have the same question wait for one answer, and for no other one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Answer]] = {}

    def answer(self, question: Hashable, ask: Callable[[], Answer]) -> Answer:
        """What the host answers, or answered before.

        :raises BaseException: what ``ask`` raised, each time
        """
        with self._lock:
            is_first = question not in self._answers
            answer = self._answers.setdefault(question, Future())
        if is_first:
            try:
                answer.set_result(ask())
            except BaseException as error:
                answer.set_exception(error)
        return answer.result()


_answers: Once[Any] | None = None


@contextlib.contextmanager
def unchanging() -> Iterator[None]:
    """Keep what ``once`` is told, as long as the block lasts: nothing in it changes the host."""
    global _answers
    _answers = Once()
    try:
        yield
    finally:
        _answers = None


def once(question: Hashable, ask: Callable[[], Answer]) -> Answer:
    """What the host answers, or answered before if it is ``unchanging``."""
    if _answers is None:
        return ask()
    answer: Answer = _answers.answer(question, ask)
    return answer
