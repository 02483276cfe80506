# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers and timers as users write them."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _workers
from ansible_collections.wsgi.stack.tests import apps


def test_what_is_not_given_has_a_default():
    app = apps.resolved(workers={"queue": {"command": "celery"}}, timers={"clean-up": {"command": "clean", "schedule": "daily"}})
    assert app["workers"]["queue"] == {
        "command": "celery",
        "count": 1,
        "single": False,
        "stop_timeout": 30,
        "stop_signal": "SIGTERM",
    }
    assert app["timers"]["clean-up"] == {"command": "clean", "schedule": "daily", "on": "first_host"}


def test_the_key_on_is_known_though_yaml_takes_it_for_true():
    (timer,) = apps.resolved(timers={"clean": {"command": "clean", "schedule": "daily", True: "all"}})["timers"].values()
    assert timer["on"] == "all"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"workers": {"queue": {}}}, "app shop: workers.queue.command: not given"),
        ({"workers": {"Queue": {"command": "celery"}}}, "app shop: workers: .* 'Queue' is something else"),
        ({"workers": {"queue": {"command": "celery", "count": 0}}}, "app shop: workers.queue.count: 0 is invalid"),
        (
            {"workers": {"queue": {"command": "celery", "stop_signal": "TERM"}}},
            "workers.queue.stop_signal: 'TERM' is invalid; use",
        ),
        ({"workers": {"beat": {"command": "celery", "single": True, "count": 2}}}, "workers.beat: single: .* count is 2; remove"),
        ({"timers": {"clean": {"command": "clean", "schedule": "0 3 * * *"}}}, "timers.clean.schedule: .* use a calendar event"),
        ({"timers": {"clean": {"command": "clean", "schedule": "daily", "on": "some"}}}, "timers.clean.on: 'some' is invalid"),
        (
            {"workers": {"x": {"command": "a"}}, "timers": {"x": {"command": "b", "schedule": "daily"}}},
            "timers.x: a worker has this name, too",
        ),
    ],
)
def test_a_mistake_is_refused_in_a_sentence(keys, message):
    with pytest.raises(InventoryError, match=message):
        apps.resolved(**keys)


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ({}, False),
        ({"workers": {"queue": {"command": "celery"}}}, False),
        ({"workers": {"beat": {"command": "celery", "single": True}}}, True),
        ({"timers": {"clean": {"command": "clean", "schedule": "daily", "on": "all"}}}, False),
        ({"timers": {"clean": {"command": "clean", "schedule": "daily"}}}, True),
    ],
)
def test_whether_something_runs_on_one_host_only(keys, first):
    assert _workers.any_for_first_host(apps.resolved(**keys)) == first
