# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host shows of workers."""

from __future__ import annotations

import json

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _worker_state, _worker_units
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._worker_state import Timer, Workers

WORKER = {"command": "celery", "count": 2, "single": False, "stop_timeout": 60, "stop_signal": "SIGTERM"}
RELEASE = {
    "number": 1,
    "workers": {"queue": WORKER, "beat": {**WORKER, "count": 1, "single": True}},
    "timers": {"clean": {"command": "clean", "schedule": "daily", "on": "first_host"}},
    "writable_paths": [],
    "privileged_programs": False,
}
UP = {"ActiveState": "active", "SubState": "running", "NRestarts": "0"}
QUEUE, BEAT = ("wsgi-shop.queue-blue@1.service", "wsgi-shop.queue-blue@2.service"), "wsgi-shop.beat-blue@1.service"
TIMER, JOB = "wsgi-shop.clean.timer", "wsgi-shop.clean-blue.service"


@pytest.mark.parametrize(
    ("state", "well"),
    [
        ({}, False),
        (UP, True),
        ({"ActiveState": "activating", "SubState": "start"}, True),
        ({"ActiveState": "failed"}, False),
        ({"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code", "NRestarts": "3"}, False),
        ({"ActiveState": "activating", "SubState": "auto-restart", "Result": "success", "NRestarts": "3"}, True),
        ({**UP, "NRestarts": "3", "ActiveEnterTimestampMonotonic": "99000000"}, False),
        ({**UP, "NRestarts": "3", "ActiveEnterTimestampMonotonic": "90000000"}, True),
    ],
)
def test_whether_a_process_is_well(state, well):
    assert _worker_state.is_well(state, 100.0) == well


@pytest.fixture
def host(tmp_path, monkeypatch):
    """An app with workers and a timer in its slot blue; returns what to change, and what is seen."""
    units = tmp_path / "units"
    monkeypatch.setattr(_worker_state, "UNITS", str(units))
    monkeypatch.setattr(_worker_units, "UNITS", str(units))
    for name, kind in (("BOOT", "multi-user"), ("TIMERS", "timers")):
        monkeypatch.setattr(_worker_state, name, str(units / f"{kind}.target.wants"))
        (units / f"{kind}.target.wants").mkdir(parents=True)
    layout = _layout.Layout("shop", str(tmp_path))
    for path in ("shop/slots", "shop/releases/1"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "shop/slots/blue").symlink_to("../releases/1")
    (tmp_path / "shop/releases/1/release.json").write_text(json.dumps(RELEASE))
    texts = {**_worker_units.workers(layout, "blue", RELEASE, True), **_worker_units.timers(layout, "blue", RELEASE, True)}
    for path, text in texts.items():
        (units / path.rpartition("/")[2]).write_text(text)
    for unit in (*QUEUE, BEAT):
        (units / "multi-user.target.wants" / unit).symlink_to("/dev/null")
    (units / "timers.target.wants" / TIMER).symlink_to("/dev/null")
    states = {
        **dict.fromkeys((*QUEUE, BEAT), UP),
        TIMER: {"ActiveState": "active", "NextElapseUSecRealtime": "tomorrow"},
        JOB: {},
    }
    monkeypatch.setattr(_worker_state._systemd, "show", lambda _units, _names: states)

    def seen(first_host=True):
        return _worker_state.observe([(layout, first_host)]).get(("shop", "blue"))

    return units, states, seen


def test_all_is_as_it_should_be(host):
    _units, _states, seen = host
    expected = Workers(True, True, True, (("queue", 2, 2), ("beat", 1, 1)), (Timer("clean", "tomorrow"),))
    assert seen() == expected
    assert (seen(None).up, seen(None).recorded) == (True, True)


def test_a_worker_that_was_stopped_is_seen(host):
    _units, states, seen = host
    states[QUEUE[1]] = {"ActiveState": "inactive"}
    assert (seen().up, seen().counts) == (False, (("queue", 1, 2), ("beat", 1, 1)))


def test_what_is_for_another_host_has_to_end(host):
    _units, _states, seen = host
    found = seen(False)
    assert (found.up, found.recorded, found.counts) == (False, False, (("queue", 2, 2),))


@pytest.mark.parametrize("name", ["wsgi-shop.clean-blue.service", "timers.target.wants/wsgi-shop.clean.timer"])
def test_a_timer_that_would_not_be_there_after_a_boot_is_seen(host, name):
    units, _states, seen = host
    (units / name).unlink()
    assert (seen().up, seen().recorded) == (True, False)


def test_a_worker_that_is_not_started_at_boot_is_seen(host):
    units, _states, seen = host
    (units / "multi-user.target.wants" / BEAT).unlink()
    assert (seen().up, seen().recorded) == (True, False)


def test_a_job_that_failed_is_told(host):
    _units, states, seen = host
    states[JOB] = {"ActiveState": "failed", "ExecMainCode": "1", "Result": "exit-code"}
    assert seen().timers == (Timer("clean", "tomorrow", "", "exit-code"),)


def test_an_app_whose_name_begins_alike_has_its_own(host):
    units, _states, seen = host
    before = seen()
    (units / "wsgi-shop-b.queue-blue@.service").write_text("")
    (units / "wsgi-shop-b.clean.timer").write_text("")
    assert seen() == before
