# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked once, and what each time."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._once import once, unchanging


def test_an_answer_holds_while_nothing_changes_and_not_longer():
    number = itertools.count()
    assert [once("a", lambda: next(number)) for _time in range(2)] == [0, 1]
    with unchanging():
        assert [once(question, lambda: next(number)) for question in "aaba"] == [2, 2, 3, 2]
    assert once("a", lambda: next(number)) == 4


def test_what_cannot_be_answered_is_asked_again():
    def fail():
        raise OSError("gone")

    with unchanging():
        with pytest.raises(OSError, match="gone"):
            once("a", fail)
        assert once("a", lambda: 1) == 1
