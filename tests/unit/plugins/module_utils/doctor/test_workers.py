# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers and timers that do not do what they should."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _workers

WORKER, JOB = "wsgi-shop.queue-blue@1.service", "wsgi-shop.clean-up-green.service"
FAILS = {
    "ActiveState": "activating",
    "SubState": "auto-restart",
    "Result": "exit-code",
    "ExecMainCode": "1",
    "ExecMainStatus": "3",
}


@pytest.mark.parametrize(
    ("unit", "state", "what"),
    [
        (WORKER, {"ActiveState": "active"}, ""),
        (WORKER, {"ActiveState": "inactive"}, "The worker queue of the app shop is not running."),
        (
            WORKER,
            {**FAILS, "NRestarts": "7"},
            "The worker queue of the app shop keeps failing (exit code 3, 7 restarts so far).",
        ),
        (JOB, {"ActiveState": "inactive"}, ""),
        (
            JOB,
            {"ActiveState": "failed", "Result": "timeout"},
            "The last job of the timer clean-up of the app shop failed (result timeout).",
        ),
        ("wsgi-blue@shop.service", {"ActiveState": "failed"}, ""),
    ],
)
def test_what_is_wrong(unit, state, what):
    assert _workers.problem(unit, state, 100.0) == what


def test_processes_of_one_worker_are_one_finding():
    message = "The worker queue of the app shop keeps failing (exit code 3, {} restarts so far)."
    units = {WORKER: message.format(7), WORKER.replace("@1", "@2"): message.format(6)}
    (found,) = _workers.judge(units, dict.fromkeys(units, "KeyError: 'broker'\n"))
    assert (found.severity, found.code, found.message) == ("warning", "worker_failing", message.format(7))
    assert found.evidence == (WORKER, "KeyError: 'broker'")
    assert found.fix == f"fix what the log says: journalctl -u {WORKER}"
