# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that are built while another one runs."""

from __future__ import annotations

import threading

from ansible_collections.wsgi.stack.plugins.plugin_utils import _ahead


def test_modules_are_built_in_their_order_while_the_block_runs_whatever_becomes_of_one():
    built, done = [], threading.Event()

    def build(name):
        built.append(name)
        if name == "rollout":
            raise ValueError(name)
        if name == "probe":
            done.set()

    with _ahead.built(["release", "rollout", "probe"], build):
        assert done.wait(10)
    assert built == ["release", "rollout", "probe"]


def test_no_module_is_begun_when_the_block_has_ended():
    begun, may_end = threading.Event(), threading.Event()
    built = []

    def build(name):
        begun.set()
        assert may_end.wait(10)
        built.append(name)

    with _ahead.built(["release", "rollout"], build):
        assert begun.wait(10)
        threading.Timer(0.2, may_end.set).start()
    assert built == ["release"]
