# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of an app."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import Slot, State
from ansible_collections.wsgi.stack.plugins.module_utils.status import _status

HISTORY = (
    {"number": 1, "stack": "uwsgi", "since": "2026-11-18T08:00:00Z"},
    {"number": 2, "stack": "uwsgi", "since": "2026-11-19T09:30:00Z"},
    {"number": 4, "stack": "gunicorn_supervisor", "since": "2026-11-20T19:30:00Z"},
)


def release(number, stack="uwsgi"):
    return {"number": number, "stack": stack, "revision": f"{number:040x}", "made": "2026-11-20T00:00:00Z"}


KEPT = _status.Records((release(1), release(2), release(3), release(4, "gunicorn_supervisor"), release(5)), HISTORY)
LIVE = Slot(("gunicorn_supervisor",), ("gunicorn_supervisor",), 4, True)
USED = _status.Usage(3, 50 * 1024 * 1024, 3725)


def state(live="blue", slot=LIVE, other=None, **more):
    return State(live=live, slots={"blue": slot, "green": other or Slot()}, **more)


def entry(found, kept=KEPT, used=USED):
    return _status.entry("shop", found, kept, used)


def test_an_app_that_is_up():
    found = entry(state(current=4))
    assert {key: found[key] for key in ("app", "state", "stack", "slot", "release", "staged", "previous", "live_since")} == {
        "app": "shop",
        "state": "up",
        "stack": "gunicorn_supervisor",
        "slot": "blue",
        "release": 4,
        "staged": None,
        "previous": 2,
        "live_since": "2026-11-20T19:30:00Z",
    }
    assert (found["processes"], found["memory_mib"], found["uptime"]) == (3, 50.0, 3725)
    assert [each["number"] for each in found["releases"] if each["been_live"]] == [1, 2, 4]


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (state(), "up"),
        (state(slot=Slot(("uwsgi_emperor",), (), 4, True, asleep=True)), "asleep"),
        (state(slot=Slot(("uwsgi",), (), 4, False)), "down"),
        (state(slot=Slot((), ("uwsgi",), 4)), "down"),
        (State(), "absent"),
        (state(live=None, preview="blue"), "staged"),
    ],
)
def test_a_state_in_a_word(found, word):
    assert entry(found)["state"] == word


def test_a_live_slot_that_does_not_run_has_the_release_that_it_is_to_run():
    assert entry(state(slot=Slot(release=2), current=4))["release"] == 4


def test_a_staged_release_is_told_beside_the_live_one():
    found = entry(state(other=Slot(("uwsgi",), (), 5, True), preview="green"))
    assert (found["state"], found["release"], found["staged"]) == ("up", 4, 5)


@pytest.mark.parametrize(
    ("found", "previous"),
    [
        (entry(state()), 2),
        (entry(state(slot=Slot(("uwsgi",), (), 4, False))), 2),
        (entry(state(slot=Slot(("uwsgi",), (), 2, True))), 1),
        (entry(state(slot=Slot(("uwsgi",), (), 1, True))), None),
        (entry(state(live=None, slot=Slot(("uwsgi",), (), 1, True), preview="blue")), None),
        (entry(State(), _status.Records()), None),
    ],
)
def test_the_previous_release_is_an_older_one_that_was_live_last(found, previous):
    assert found["previous"] == previous


def test_a_release_that_was_rolled_back_is_not_the_previous_one_of_the_next():
    lived = tuple({"number": number, "stack": "uwsgi", "since": ""} for number in (1, 2, 1, 4))
    assert entry(state(), _status.Records(KEPT.releases, lived))["previous"] == 1


def test_the_stack_of_a_release_is_the_one_that_it_last_ran_under():
    lived = tuple({"number": 1, "stack": stack, "since": ""} for stack in ("uwsgi", "uwsgi_emperor"))
    found = entry(state(), _status.Records(KEPT.releases, lived))
    assert [each["stack"] for each in found["releases"][:2]] == ["uwsgi_emperor", "uwsgi"]


@pytest.mark.parametrize(
    ("served", "host", "path", "scheme"),
    [
        ({}, "new.test", "/new/health", "https"),
        (
            {"domains": ["old.test"], "canonical_domain": None, "tls": {"mode": "none"}, "mount": "/"},
            "old.test",
            "/health",
            "http",
        ),
        (
            {"domains": ["a.test", "b.test"], "canonical_domain": "b.test", "tls": {"mode": "certbot"}, "mount": "/old"},
            "b.test",
            "/old/health",
            "https",
        ),
    ],
)
def test_an_app_is_asked_as_visitors_come_at_present(served, host, path, scheme):
    wanted = {"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app", "mount": "/new", "domains": ["new.test"]}
    (app,) = _resolve.resolve([{**wanted, "tls": {"mode": "self_signed"}, "health_check": {"path": "/health"}}])
    asked = _status.visited(app, served)
    assert (asked.host, asked.path, asked.scheme) == (host, path, scheme)
