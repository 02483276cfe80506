# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked once, and what each time."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._once import Once, once, unchanging


def test_an_answer_holds_while_nothing_changes_and_not_longer():
    number = itertools.count()
    assert [once("a", lambda: next(number)) for _time in range(2)] == [0, 1]
    with unchanging():
        assert [once(question, lambda: next(number)) for question in "aaba"] == [2, 2, 3, 2]
    assert once("a", lambda: next(number)) == 4


def test_what_cannot_be_answered_is_not_asked_again():
    number = itertools.count()

    def fail():
        next(number)
        raise OSError("gone")

    with unchanging():
        for _time in range(2):
            with pytest.raises(OSError, match="gone"):
                once("a", fail)
    assert next(number) == 1


def test_threads_wait_for_the_answer_to_their_own_question_only():
    answers, number, other = Once(), itertools.count(), threading.Event()

    def slow():
        assert other.wait(10)
        return next(number)

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(answers.answer, "slow", slow) for _thread in range(3)]
        assert answers.answer("other", lambda: "at once") == "at once"
        other.set()
        assert [each.result() for each in waiting] == [0, 0, 0]
