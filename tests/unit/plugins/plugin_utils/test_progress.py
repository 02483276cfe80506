# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show that a step still runs."""

from __future__ import annotations

import json
import threading

import pytest

from ansible_collections.wsgi.stack.plugins.plugin_utils import _progress


def test_a_step_that_takes_long_is_shown_until_it_ends(monkeypatch):
    shown, twice = [], threading.Event()

    def show(text):
        shown.append(text)
        if len(shown) == 2:
            twice.set()

    monkeypatch.setattr(_progress, "INTERVAL", 0.01)
    with _progress.lines(show, "web1", "Build the apps", ["shop"], lambda: asked(doing=[["shop", "imports its code", 1000]])):
        assert twice.wait(30)
    count = len(shown)
    assert not threading.Event().wait(0.05)
    assert len(shown) == count
    assert shown[0] == "web1: Build the apps has been running for 0 s: 1 of 3 done; shop imports its code (0 s)"


def test_a_step_that_ends_at_once_shows_nothing():
    shown = []
    with _progress.lines(shown.append, "web1", "Build the apps", [], str):
        pass
    assert shown == []


def test_a_line_names_some_of_the_apps():
    apps = [f"app{number}" for number in range(7)]
    assert _progress.line("web1", "Build", apps, 60.4) == (
        "web1: Build (app0, app1, app2, app3, app4 and 2 more) has been running for 60 s"
    )
    assert _progress.line("web1", "Build", [], 30) == "web1: Build has been running for 30 s"


def asked(**found):
    return "1000\n" + json.dumps({"done": 1, "total": 3, "doing": [], **found})


def test_a_line_says_what_is_done_for_each_app():
    doing = [["shop", "runs npm ci (1 of 2)", 960], ["blog", "imports its code", 1001]]
    assert _progress.line("web1", "Build", ["blog", "shop", "wiki"], 60, asked(doing=doing)) == (
        "web1: Build has been running for 60 s: 1 of 3 done; shop runs npm ci (1 of 2) (40 s); blog imports its code (0 s)"
    )
    assert _progress.line("web1", "Build", ["shop"], 60, f"\r\n{asked(doing=doing)}\r\n").endswith("runs npm ci (1 of 2) (40 s)")
    many = [[f"app{number}", "imports its code", 990] for number in range(7)]
    assert _progress.line("web1", "Build", [app for app, *_rest in many], 60, asked(doing=many)).endswith("(10 s) and 2 more")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1000\n",
        "no number\n{}",
        "1000\n{}",
        "1000\n[]",
        asked(),
        asked(doing=[["another", "imports its code", 1]]),
        asked(doing=[["shop", "x"]]),
        asked(doing=[["shop", "x", "y"]]),
        asked(doing=3),
    ],
)
def test_what_is_not_about_this_step_is_left_out(text):
    assert _progress.line("web1", "Build", ["shop"], 60, text) == "web1: Build (shop) has been running for 60 s"


def test_what_a_host_says_cannot_change_a_terminal():
    doing = [["shop", "runs \x1b[2J", 1000]]
    assert "shop runs \\x1b[2J (0 s)" in _progress.line("web1", "Build", ["shop"], 60, asked(doing=doing))
