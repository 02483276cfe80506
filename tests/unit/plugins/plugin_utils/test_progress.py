# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show that a step still runs."""

from __future__ import annotations

import threading

from ansible_collections.wsgi.stack.plugins.plugin_utils import _progress


def test_a_step_that_takes_long_is_shown_until_it_ends(monkeypatch):
    shown, twice = [], threading.Event()

    def show(text):
        shown.append(text)
        if len(shown) == 2:
            twice.set()

    monkeypatch.setattr(_progress, "INTERVAL", 0.01)
    with _progress.lines(show, "web1", "Build the apps", ["shop"]):
        assert twice.wait(30)
    count = len(shown)
    assert not threading.Event().wait(0.05)
    assert len(shown) == count
    assert shown[0] == "web1: Build the apps (shop) has been running for 0 s"


def test_a_step_that_ends_at_once_shows_nothing():
    shown = []
    with _progress.lines(shown.append, "web1", "Build the apps", []):
        pass
    assert shown == []


def test_a_line_names_some_of_the_apps():
    apps = [f"app{number}" for number in range(7)]
    assert _progress.line("web1", "Build", apps, 60.4) == (
        "web1: Build (app0, app1, app2, app3, app4 and 2 more) has been running for 60 s"
    )
    assert _progress.line("web1", "Build", [], 30) == "web1: Build has been running for 30 s"
