# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._together import together


def fail():
    raise ValueError


def test_one_call_that_hangs_or_fails_does_not_delay_the_others():
    never = threading.Event()
    began = time.monotonic()
    assert together([never.wait, lambda: 1, fail, lambda: 2], 0.5) == [None, 1, None, 2]
    assert time.monotonic() - began < 5
    never.set()


def test_no_more_calls_than_allowed_are_made_at_once():
    running, most = [], []

    def call():
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return True

    assert together([call] * 6, 5, at_once=2) == [True] * 6
    assert max(most) <= 2
    assert together([], 5) == []
