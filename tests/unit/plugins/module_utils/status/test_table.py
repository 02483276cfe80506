# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the apps."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.status import _table

NOTHING = {
    **dict.fromkeys(("stack", "slot", "release", "revision", "live_since", "staged", "previous", "memory_mib", "uptime")),
    "certificate": None,
    "processes": 0,
    "workers": [],
    "timers": [],
}
LISTED = {
    **NOTHING,
    "app": "shop",
    "state": "up",
    "stack": "uwsgi",
    "slot": "blue",
    "release": 3,
    "revision": f"{3:040x}",
    "previous": 2,
    "processes": 3,
    "memory_mib": 5.0,
    "uptime": 5,
    "workers": [{"name": "queue", "running": 2, "count": 3}, {"name": "beat", "running": 1, "count": 1}],
    "listed": True,
    "certificate": {"days_left": 61, "late": False},
}


def test_the_table_is_aligned_and_marks_what_is_in_no_list():
    unlisted = {**NOTHING, "app": "old", "state": "up", "listed": False}
    removed = {**NOTHING, "app": "ex", "state": "absent", "listed": False}
    assert _table.table([LISTED, unlisted, removed]) == [
        "app    state   stack  slot  release  revision   live since  staged  previous  processes  MiB  up   workers  certificate",
        "shop   up      uwsgi  blue  3        000000000  -           -       2         3          5.0  5 s  3/4      61 days",
        "old *  up      -      -     -        -          -           -       -         0          -    -    -        -",
        "ex **  absent  -      -     -        -          -           -       -         0          -    -    -        -",
        "",
        "* is not in wsgi_apps; wsgi_prune: true removes it",
        "** is removed, and its data was kept; wsgi_remove_shared: true removes that, too",
        "3 apps: 2 up, 1 absent",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90061, "1 d 1 h"), (86400 * 30, "30 d")],
)
def test_a_duration_in_words(seconds, words):
    assert _table._duration(seconds) == words


@pytest.mark.parametrize(
    ("days", "late", "shown"),
    [(None, False, "-"), (61, False, "61 days"), (1, True, "1 day, not renewed"), (-1, True, "expired")],
)
def test_a_certificate_that_should_have_been_renewed_is_told(days, late, shown):
    assert _table._left(days, late) == shown


@pytest.mark.parametrize(
    ("result", "shown"), [("", "-"), ("success", "-"), ("exit-code", "clean failed"), ("timeout", "clean failed")]
)
def test_a_timer_whose_last_job_failed_is_told(result, shown):
    assert _table._workers([], [{"name": "clean", "result": result}]) == shown
