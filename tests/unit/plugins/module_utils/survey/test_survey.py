# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the steps, and what counts as an answer."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.survey import _references, _survey

OPTIONS = {"value": {"type": "raw"}, "result": {"type": "dict", "default": {}}}


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    """The parameters of the steps that ran."""
    found = []

    def work(params, check):
        found.append((params["value"], check))
        if params["value"] == "raise":
            raise ValueError("no")
        return {"changed": False, **params["result"]}

    monkeypatch.setattr(_survey, "STEPS", {"wsgi.stack.accounts": Step(OPTIONS, work)})
    return found


def ask(*steps):
    return [answer.result for answer in answers(*steps)]


def answers(*steps):
    return _survey.survey([{"module": "wsgi.stack.accounts", "register": "", **step} for step in steps])


def test_a_step_is_run_in_check_mode_with_the_defaults_of_its_options(calls):
    assert ask({"arguments": {"value": 1}}) == [{"changed": False}]
    assert calls == [(1, True)]


@pytest.mark.parametrize(
    "result",
    [
        {"changed": True},
        {"failures": [{}]},
        {"failed": True},
        {"warnings": ["x"]},
        {"needed": ["x"]},
        {"unused": ["bind"]},
        {"leaving": ["uwsgi"]},
        {"outdated": ["a"]},
    ],
    ids=lambda result: next(iter(result)),
)
def test_a_step_that_has_something_to_do_or_to_say_has_no_answer(result):
    assert ask({"arguments": {"result": result}}) == [None]


@pytest.mark.parametrize("arguments", [{"value": "raise"}, {"unknown": 1}], ids=["error", "argument"])
def test_a_step_that_cannot_be_asked_has_no_answer_and_the_others_have(arguments):
    assert ask({"arguments": arguments}, {"arguments": {}}) == [None, {"changed": False}]


def test_steps_that_wait_do_not_wait_for_each_other(monkeypatch):
    others = threading.Barrier(3)

    def work(params, check):
        return {"changed": False, "at": others.wait(10) >= 0}

    monkeypatch.setattr(_survey, "STEPS", {"wsgi.stack.accounts": Step(OPTIONS, work)})
    assert ask(*[{"arguments": {}}] * 3) == [{"changed": False, "at": True}] * 3


def test_a_step_takes_what_an_earlier_one_returns(calls):
    first = {"register": "first", "arguments": {"result": {"builds": {"shop": "abc"}}}}
    ask(first, {"arguments": {"value": _references.reference("first", "builds", "shop")}})
    assert calls[1][0] == "abc"


def test_a_step_that_takes_the_result_of_one_without_an_answer_is_not_run(calls):
    first = {"register": "first", "arguments": {"result": {"changed": True}}}
    assert ask(first, {"arguments": {"value": _references.reference("first", "changed")}}) == [None, None]
    assert len(calls) == 1


@pytest.fixture
def by_app(monkeypatch):
    """Steps that do their work for each app, and what each was asked for: the names of apps, and of the releases it was given."""
    asked = {}

    def build(params, check):
        asked["build"] = [app["name"] for app in params["apps"]]
        builds = {app["name"]: {"changed": app["new"]} for app in params["apps"]}
        return {"changed": any(build["changed"] for build in builds.values()), "builds": builds, "failures": []}

    def release(params, check):
        asked["release"] = [app["name"] for app in params["apps"]]
        affected = [app["name"] for app in params["apps"] if app["new_variable"]]
        releases = {app["name"]: 3 for app in params["apps"]}
        return {"changed": bool(affected), "releases": releases, "affected": affected, "deferred": [], "failures": []}

    def rollout(params, check):
        asked["rollout"] = [app["name"] for app in params["apps"]], params["releases"]
        return {"changed": False, "steps": {}, "staged": [], "switching": [], "failures": [], **params["result"]}

    apps = {"apps": {"type": "list", "elements": "dict"}}
    steps = {
        "wsgi.stack.build": Step(apps, build),
        "wsgi.stack.release": Step({**apps, "builds": {"type": "dict"}}, release),
        "wsgi.stack.rollout": Step({**apps, "releases": {"type": "dict"}, **OPTIONS}, rollout),
    }
    monkeypatch.setattr(_survey, "STEPS", steps)
    return asked


def chain(*apps, **more):
    """A build, a release of it and a rollout of that, of apps by name and what is new of them."""
    given = [{"name": name, "new": "code" in new, "new_variable": "variable" in new} for name, new in apps]

    def references(register, key):
        return {app["name"]: _references.reference(register, key, app["name"]) for app in given}

    return [
        {"module": "wsgi.stack.build", "register": "build", "arguments": {"apps": given}},
        {
            "module": "wsgi.stack.release",
            "register": "release",
            "arguments": {"apps": given, "builds": references("build", "builds")},
        },
        {"module": "wsgi.stack.rollout", "arguments": {"apps": given, "releases": references("release", "releases"), **more}},
    ]


def test_a_step_is_asked_for_the_apps_that_the_steps_before_it_are_done_with(by_app):
    found = answers(*chain(("shop", ""), ("blog", "code"), ("wiki", "variable")))
    assert by_app == {"build": ["shop", "blog", "wiki"], "release": ["shop", "wiki"], "rollout": (["shop"], {"shop": 3})}
    assert [answer.result for answer in found] == [None, None, None]
    assert [answer.settled for answer in found] == [("shop", "wiki"), ("shop",), ("shop",)]
    assert found[1].returned() == {
        "result": None,
        "settled": {"apps": ["shop"], "result": {"releases": {"shop": 3}, "affected": [], "deferred": [], "failures": []}},
    }


def test_a_step_with_nothing_to_do_for_any_app_has_a_result_and_no_more(by_app):
    found = answers(*chain(("shop", ""), ("blog", "")))
    assert all(answer.result is not None and answer.returned() == {"result": answer.result} for answer in found)
    assert by_app["rollout"] == (["shop", "blog"], {"shop": 3, "blog": 3})


def test_a_step_is_not_asked_if_one_before_it_is_done_with_no_app(by_app):
    found = answers(*chain(("blog", "code")))
    assert [answer.settled for answer in found] == [(), (), ()]
    assert by_app == {"build": ["blog"]}


def test_what_is_not_said_of_an_app_may_hold_for_all(by_app):
    found = answers(*chain(("shop", ""), result={"warnings": ["the disk is full"]}))
    assert (found[2].result, found[2].settled) == (None, ())


@pytest.mark.parametrize(("installed", "answer"), [({"nginx", "openssl"}, {"changed": False}), ({"nginx"}, None)])
def test_packages_that_are_installed_need_no_apt(monkeypatch, installed, answer):
    monkeypatch.setattr(_survey._packages, "installed", lambda names: installed)
    assert ask({"module": "wsgi.stack.packages", "arguments": {"name": ["nginx", "openssl"]}}) == [answer]


@pytest.mark.parametrize(
    ("active", "enabled", "answer"),
    [("active", "enabled", {"changed": False}), ("inactive", "enabled", None), ("active", "disabled", None)],
)
def test_a_unit_that_runs_and_is_enabled_needs_nothing(monkeypatch, active, enabled, answer):
    monkeypatch.setattr(_survey._systemd, "properties", lambda unit, names: {"ActiveState": active, "UnitFileState": enabled})
    assert ask({"module": "ansible.builtin.systemd_service", "arguments": {"name": "certbot.timer"}}) == [answer]


def test_the_sources_to_send_are_those_of_builds_that_are_missing():
    steps = [{"module": "wsgi.stack.build", "arguments": {"directories": {"old": {}, "new": {}, "wrong": {}}}}]
    told = {"wsgi.stack.build": {"builds": {"old": {"changed": False}, "new": {"changed": True}, "package": {"changed": True}}}}
    assert _survey.sources(steps, told) == ["new"]
    assert _survey.sources(steps, {}) == []
