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

    monkeypatch.setattr(_survey, "STEPS", {"wsgi.stack.build": Step(OPTIONS, work)})
    return found


def ask(*steps):
    return _survey.survey([{"module": "wsgi.stack.build", "register": "", **step} for step in steps])


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

    monkeypatch.setattr(_survey, "STEPS", {"wsgi.stack.build": Step(OPTIONS, work)})
    assert ask(*[{"arguments": {}}] * 3) == [{"changed": False, "at": True}] * 3


def test_a_step_takes_what_an_earlier_one_returns(calls):
    first = {"register": "first", "arguments": {"result": {"builds": {"shop": "abc"}}}}
    ask(first, {"arguments": {"value": _references.reference("first", "builds", "shop")}})
    assert calls[1][0] == "abc"


def test_a_step_that_takes_the_result_of_one_without_an_answer_is_not_run(calls):
    first = {"register": "first", "arguments": {"result": {"changed": True}}}
    assert ask(first, {"arguments": {"value": _references.reference("first", "changed")}}) == [None, None]
    assert len(calls) == 1


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
