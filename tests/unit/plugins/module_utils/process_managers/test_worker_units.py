# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of workers and timers."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _worker_units

LAYOUT = _layout.Layout("shop")
WORKER = {"command": "celery", "count": 2, "single": False, "stop_timeout": 60, "stop_signal": "SIGINT"}
RELEASE = {
    "workers": {"queue": WORKER, "beat": {**WORKER, "count": 1, "single": True}},
    "timers": {"clean": {"command": "clean", "schedule": "Mon 03:30", "on": "first_host"}},
    "writable_paths": ["/mnt/data"],
    "privileged_programs": False,
}


def settings(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_a_worker_is_a_template_with_the_sandbox_of_a_slot():
    units = _worker_units.workers(LAYOUT, "green", RELEASE, first_host=True)
    assert [path.rpartition("/")[2] for path in units] == ["wsgi-shop.queue-green@.service", "wsgi-shop.beat-green@.service"]
    found = settings(units["/etc/systemd/system/wsgi-shop.queue-green@.service"])
    assert found["ExecStart"] == "/srv/wsgi/shop/slots/green/work queue %i"
    assert (found["KillSignal"], found["TimeoutStopSec"], found["KillMode"]) == ("SIGINT", "60", "mixed")
    assert found["ReadWritePaths"] == "/srv/wsgi/shop/shared /mnt/data"
    assert found["RequiresMountsFor"] == "/mnt/data"
    assert {**_sandbox.RESTRICTIONS, "RemoveIPC": "no"}.items() <= found.items()
    assert list(_worker_units.workers(LAYOUT, "green", RELEASE, first_host=False)) == [
        "/etc/systemd/system/wsgi-shop.queue-green@.service"
    ]


def test_privileged_programs_have_their_privileges_in_a_worker_too():
    units = _worker_units.workers(LAYOUT, "blue", {**RELEASE, "privileged_programs": True}, first_host=True)
    assert all(settings(text)["NoNewPrivileges"] == "no" for text in units.values())


@pytest.mark.parametrize(
    ("first_host", "units"),
    [
        (
            True,
            {
                "queue": ["wsgi-shop.queue-blue@1.service", "wsgi-shop.queue-blue@2.service"],
                "beat": ["wsgi-shop.beat-blue@1.service"],
            },
        ),
        (False, {"queue": ["wsgi-shop.queue-blue@1.service", "wsgi-shop.queue-blue@2.service"]}),
    ],
)
def test_each_process_has_a_unit(first_host, units):
    assert _worker_units.processes(LAYOUT, "blue", RELEASE, first_host) == units


def test_a_timer_starts_the_job_of_its_slot_which_never_runs_in_both():
    units = _worker_units.timers(LAYOUT, "blue", RELEASE, first_host=True)
    timer = settings(units["/etc/systemd/system/wsgi-shop.clean.timer"])
    assert (timer["OnCalendar"], timer["Unit"]) == ("Mon 03:30", "wsgi-shop.clean-blue.service")
    job = settings(units["/etc/systemd/system/wsgi-shop.clean-blue.service"])
    assert "wsgi-shop.clean-green.service" in job["ExecCondition"]
    assert "Restart" not in job
    assert _worker_units.timers(LAYOUT, "blue", RELEASE, first_host=False) == {}
