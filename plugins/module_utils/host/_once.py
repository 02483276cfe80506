# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Answers of the host that several steps of a survey ask for, and that none of them changes."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator
from typing import Any, Callable, TypeVar

Answer = TypeVar("Answer")

_answers: dict[Hashable, Any] | None = None


@contextlib.contextmanager
def unchanging() -> Iterator[None]:
    """Keep what ``once`` is told, as long as the block lasts: nothing in it changes the host."""
    global _answers
    _answers = {}
    try:
        yield
    finally:
        _answers = None


def once(question: Hashable, ask: Callable[[], Answer]) -> Answer:
    """What the host answers, or answered before if it is ``unchanging``."""
    if _answers is None:
        return ask()
    if question not in _answers:
        _answers[question] = ask()
    answer: Answer = _answers[question]
    return answer
