# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step shows of its work while it lasts."""

from __future__ import annotations

import json
import threading
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _progress
from ansible_collections.wsgi.stack.plugins.module_utils._errors import for_each_app

APPS = [{"name": "shop"}, {"name": "blog"}]


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setattr(_progress, "SECONDS", {})
    return _progress.BOARD


def test_each_app_is_shown_with_what_is_done_for_it(board, tmp_path):
    path, seen = tmp_path / "progress.json", []

    def work(app):
        board.does("imports its code")
        seen.append(json.loads(path.read_text()))

    with board.shown(str(path)):
        for_each_app(APPS, work, jobs=1)
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text()) == {"done": 2, "total": 2, "doing": []}
    assert [(found["done"], found["total"], [entry[:2] for entry in found["doing"]]) for found in seen] == [
        (0, 2, [["shop", "imports its code"]]),
        (1, 2, [["blog", "imports its code"]]),
    ]
    assert list(tmp_path.iterdir()) == []
    assert set(_progress.SECONDS) == {"shop", "blog"}


def test_nothing_is_written_without_a_file_to_write_to(board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for_each_app(APPS, lambda app: board.does("imports its code"), jobs=2)
    assert list(tmp_path.iterdir()) == []


def test_what_a_thread_does_after_an_app_is_not_for_that_app(board, tmp_path):
    path = tmp_path / "progress.json"
    with board.shown(str(path)):
        with board.app("shop"):
            board.does("asks for its certificate")
        board.does("waits for another run")
        assert json.loads(path.read_text())["doing"] == []


def test_waiting_for_a_turn_is_no_time_of_an_app(board):
    turns = threading.Semaphore(0)
    with board.app("shop"):
        threading.Timer(0.3, turns.release).start()
        with board.turn(turns):
            time.sleep(0.01)
    assert 0 < _progress.SECONDS["shop"] < 0.3


def test_a_file_that_cannot_be_written_disturbs_nothing(board, tmp_path):
    with board.shown(str(tmp_path / "none/progress.json")):
        results, failures = for_each_app(APPS, lambda app: board.does("imports its code"), jobs=2)
    assert (set(results), failures) == ({"shop", "blog"}, [])
