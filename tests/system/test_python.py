# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpreters that the host's uWSGI cannot run."""

from __future__ import annotations

import re

from conftest import on


@on(12)
def test_an_interpreter_without_a_plugin_is_refused_and_what_runs_runs_on(server, hello):
    server.converge([hello])
    before = server.get("/")
    play = server.play([{**hello, "python": "pypy3", "system_packages": ["pypy3"]}])
    assert play.code
    wanted = r"app hello: plugin: python pypy3 is 3\.\d+\.\d+, but uWSGI's plugin python3\d+ is not installed; choose .*"
    assert re.fullmatch(wanted, play.message), play.message
    assert server.get("/") == before
