# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a run reported, per host."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.plugin_utils import _notes, _run


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    monkeypatch.setattr(_notes.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))


def failure(app, step="health"):
    return {"app": app, "step": step, "message": f"app {app}: {step}: no.", "log": []}


def note(step, *failed, host="web1", apps=(), **result):
    _run.note(host, step, result, apps, [failure(app) for app in failed])


def test_nothing_was_reported():
    assert _run.report("web1") == _run.Report()


def test_failures_are_kept_in_order_and_each_once():
    note("build", "shop", "blog")
    note("certificates", "shop")
    note("certificates again", "shop", "wiki")
    report = _run.report("web1")
    assert report.failures == [failure("shop"), failure("blog"), failure("wiki")]
    assert report.failed == ["shop", "blog", "wiki"]


def test_a_host_has_its_own():
    note("build", "shop", host="web/1 [::1]")
    assert _run.report("web1").failures == []
    assert _run.report("web/1 [::1]").failed == ["shop"]


@pytest.mark.parametrize(("second", "left"), [((), []), (("blog",), ["blog"])], ids=["success", "another failure"])
def test_a_retry_replaces_what_the_step_reported(second, left):
    note("build", "shop")
    note("build", *second)
    assert _run.report("web1").failed == left


def test_failures_that_were_reported_are_forgotten():
    note("build", "shop")
    _run.forget_failures("web1")
    assert _run.report("web1").failures == []
    note("rollout", "blog")
    assert _run.report("web1").failed == ["blog"]


def test_a_later_rollout_replaces_what_an_earlier_one_said_of_its_apps():
    note("rollout", apps=["shop", "blog", "wiki"], staged=["shop"], switching=["blog", "wiki"])
    note("rollout of another stack", apps=["cms"], staged=["cms"], switching=[])
    assert _run.report("web1") == _run.Report(staged=["shop", "cms"], switching=["blog", "wiki"])
    note("finish", apps=["blog"], staged=[], switching=[])
    assert _run.report("web1") == _run.Report(staged=["shop", "cms"], switching=["wiki"])


def test_the_releases_of_all_steps_are_known():
    note("release", releases={"shop": 1, "blog": 2})
    note("release of another role", releases={"shop": 3})
    assert _run.report("web1").releases == {"shop": 3, "blog": 2}


def test_a_release_that_failed_is_not_known_from_an_earlier_step():
    note("survey", apps=["shop", "blog"], releases={"shop": 1, "blog": 2})
    note("release", "shop", apps=["shop", "blog"], releases={"blog": 2})
    assert _run.report("web1").releases == {"blog": 2}


def test_an_app_is_deferred_until_its_release_commands_have_run():
    note("release", apps=["shop", "blog"], releases={"blog": 2}, deferred=["shop"])
    note("sites", apps=["shop", "blog"], delayed=["blog"])
    report = _run.report("web1")
    assert (report.deferred, report.delayed, report.late) == (["shop"], ["blog"], [])
    assert report.unfinished == ["shop", "blog"]
    note("commands", apps=["shop"], releases={"shop": 7}, deferred=[])
    report = _run.report("web1")
    assert (report.deferred, report.delayed, report.late) == ([], [], ["shop", "blog"])
    assert (report.unfinished, report.releases) == ([], {"shop": 7, "blog": 2})


@pytest.mark.parametrize("live", [{}, {"blog": {"release": 1, "revision": "a"}}], ids=["new", "changed"])
def test_an_app_whose_release_is_not_live_would_wait_for_the_commands_of_another(live):
    _run.note_live("web1", live)
    note("release", "cms", apps=["shop", "blog", "cms"], releases={"blog": 2, "cms": 4}, deferred=["shop"])
    assert _run.report("web1").held_up == ["blog"]


def test_an_app_whose_release_is_live_waits_for_nothing():
    _run.note_live("web1", {"blog": {"release": 2, "revision": "a"}})
    note("release", apps=["shop", "blog"], releases={"blog": 2}, deferred=["shop"])
    assert _run.report("web1").held_up == []
