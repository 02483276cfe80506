# SPDX-License-Identifier: GPL-3.0-or-later
"""The step ``rollout``."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _step
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import State


def test_a_process_manager_that_cannot_be_asked_fails_its_apps_and_not_the_play(monkeypatch):
    def observe(*_arguments):
        raise StackError("supervisor", "its configuration cannot be read; fix it.")

    monkeypatch.setattr(_step._state, "observe", observe)
    named = {"source": {"package": "shop"}, "entry_point": "shop:app", "stack": "gunicorn_supervisor"}
    apps = _resolve.resolve([{**named, "name": name, "mount": f"/{name}"} for name in ("shop", "blog", "unbuilt")])
    wanted = {"apps": apps, "releases": {"shop": 2, "blog": 1}, "nginx_user": "www-data", "preview": False, "finish": True}
    result = _step.rollout(wanted, check=False)
    assert [failure["message"] for failure in result["failures"]] == [
        "app shop: supervisor: its configuration cannot be read; fix it.",
        "app blog: supervisor: its configuration cannot be read; fix it.",
    ]
    assert not result["changed"]
    assert result["switching"] == []


@pytest.mark.parametrize("release", ["abc", "", None, -1, 1.5, True])
def test_a_release_is_a_number(release):
    wanted = {"apps": [], "releases": {"shop": release}, "nginx_user": "www-data", "preview": False, "finish": True}
    with pytest.raises(StackError, match=r"^releases: shop: .* is no number of a release"):
        _step.rollout(wanted, check=True)


def test_a_systemd_that_does_not_read_its_files_is_told_of_each_app(monkeypatch):
    def catch_up():
        raise StackError("systemd", "systemd does not read its files again; free some space.")

    def roll_out(_app, release, *_options):
        return [("start", release)]

    named = {"source": {"package": "shop"}, "entry_point": "shop:app"}
    (app,) = _resolve.resolve([{**named, "name": "shop"}])
    monkeypatch.setattr(_step._state, "observe", lambda *_arguments: {"shop": State()})
    monkeypatch.setattr(_step._state, "has_workers", lambda *_arguments: False)
    monkeypatch.setattr(_step._systemd, "catch_up", catch_up)
    options = {"nginx_user": "www-data", "preview": False, "finish": True, "jobs": 1}
    result = _step.rollout({"apps": [app], "releases": {"shop": 2}, **options}, False, roll_out)
    assert result["changed"]
    assert [failure["message"] for failure in result["failures"]] == [
        "app shop: systemd: systemd does not read its files again; free some space."
    ]
