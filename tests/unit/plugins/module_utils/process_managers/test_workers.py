# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a worker that did not stay up."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _workers

UNIT = "wsgi-shop.mail-queue-blue@1.service"


@pytest.mark.parametrize(
    ("state", "log", "message"),
    [
        (
            {"ExecMainCode": "1", "ExecMainStatus": "1"},
            "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'celery'\n",
            "exit code 1; its log says: ModuleNotFoundError: No module named 'celery'; fix that and run the play again.",
        ),
        (
            {"ExecMainCode": "2", "ExecMainStatus": "9"},
            "",
            "signal 9; it wrote nothing; fix that and run the play again.",
        ),
        (
            {"ExecMainCode": "1", "ExecMainStatus": "0"},
            "done\n",
            "exit code 0; its log says: done; what ends by itself belongs into timers.",
        ),
    ],
)
def test_a_worker_that_ended_early(state, log, message):
    expected = f"worker mail-queue did not stay up for 5 s, but ended with {message}"
    assert _workers.ended_early(UNIT, state, log) == expected
