# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks: one holder at a time, nobody but root gets at them, and nothing is left of them."""

from __future__ import annotations

import os
import stat
import threading

from ansible_collections.wsgi.stack.plugins.module_utils.host import _locks


def test_one_at_a_time_and_nothing_is_left(locks):
    inside, most = [], []

    def work():
        for _round in range(50):
            with _locks.locked("shop"):
                inside.append(None)
                most.append(len(inside))
                inside.pop()

    workers = [threading.Thread(target=work) for _number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == [1] * 400
    assert os.listdir(locks) == []


def test_nobody_else_gets_at_a_lock(locks):
    with _locks.locked("shop"), _locks.locked("blog"):
        assert sorted(os.listdir(locks)) == ["blog", "shop"]
        assert stat.S_IMODE(os.stat(locks).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(locks / "shop").st_mode) == 0o600


def test_who_waits_says_for_which_process(locks, monkeypatch):
    told = []
    waits = threading.Event()
    monkeypatch.setattr(_locks.BOARD, "does", lambda words: (told.append(words), waits.set()))

    def wait():
        with _locks.locked("shop"):
            pass

    with _locks.locked("shop"):
        other = threading.Thread(target=wait)
        other.start()
        assert waits.wait(10)
    other.join()
    assert told == [f"waits for another run, process {os.getpid()} on the host"]
