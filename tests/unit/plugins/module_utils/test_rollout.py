# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps make a release live, from which state."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._rollout import Slot, State, decisive_line, plan

WELL = Slot(active=True, enabled=True, release=1, answers=True)
GONE = Slot()


def state(live, blue=GONE, green=GONE, boot="same", current=1):
    return State(live=live, boot=live if boot == "same" else boot, current=current, slots={"blue": blue, "green": green})


ROLLOUT_TO_GREEN = [("start", "green"), ("flip", "green"), ("record", "green")]


@pytest.mark.parametrize(
    ("before", "wanted", "steps"),
    [
        pytest.param(state("blue", WELL), 1, [], id="already live"),
        pytest.param(state(None, current=None), 1, [("start", "blue"), ("flip", "blue"), ("record", "blue")], id="first deploy"),
        pytest.param(state("blue", WELL), 2, [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="new release"),
        pytest.param(
            state("green", green=WELL),
            2,
            [("start", "blue"), ("flip", "blue"), ("record", "blue"), ("stop", "green")],
            id="new release, the other way",
        ),
        pytest.param(
            state("blue", Slot(active=True, enabled=True, release=1)),
            1,
            [*ROLLOUT_TO_GREEN, ("stop", "blue")],
            id="live slot is sick",
        ),
        pytest.param(state("blue", Slot(enabled=True, release=1)), 1, ROLLOUT_TO_GREEN, id="live slot is down"),
        pytest.param(
            state("green", WELL, Slot(active=True, release=2, answers=True), boot="blue"),
            2,
            [("record", "green"), ("stop", "blue")],
            id="killed after the flip",
        ),
        pytest.param(
            state("green", Slot(active=True), Slot(True, True, 2, True), current=2),
            2,
            [("stop", "blue")],
            id="killed before the stop",
        ),
        pytest.param(
            state("blue", WELL, Slot(active=True, release=2)),
            2,
            [*ROLLOUT_TO_GREEN, ("stop", "blue")],
            id="killed before the flip: started anew",
        ),
        pytest.param(
            state("blue", WELL, Slot(active=True, release=2)), 1, [("stop", "green")], id="killed before the flip, and taken back"
        ),
        pytest.param(state("blue", WELL, Slot(enabled=True)), 1, [("record", "blue")], id="both slots would be started at boot"),
        pytest.param(state("blue", WELL, boot=None), 1, [("record", "blue")], id="nothing noted for the boot"),
        pytest.param(
            state(None, WELL, boot="blue"),
            1,
            [("start", "green"), ("flip", "green"), ("record", "green"), ("stop", "blue")],
            id="live link is gone",
        ),
    ],
)
def test_plan(before, wanted, steps):
    assert plan(before, wanted) == steps


@pytest.mark.parametrize("live", [None, "blue", "green"])
@pytest.mark.parametrize("blue", [GONE, WELL, Slot(active=True, release=2)])
@pytest.mark.parametrize("green", [GONE, WELL, Slot(active=True, release=2, answers=True)])
def test_what_is_live_is_never_started_or_stopped_before_the_flip(live, blue, green):
    steps = plan(state(live, blue, green), 2)
    before_flip = (
        steps[: steps.index(next((step for step in steps if step[0] == "flip"), None))]
        if any(s[0] == "flip" for s in steps)
        else []
    )
    assert all(slot != live for _action, slot in before_flip)
    assert ("stop", live) not in before_flip


def test_the_last_exception_is_the_decisive_line():
    error = "ModuleNotFoundError: No module named 'flask'"
    log = f"Traceback (most recent call last):\n  File x\n{error}\nunable to load app 0\n*** no app loaded ***\n"
    assert decisive_line(log) == error
    assert decisive_line("bind(): Permission denied\n\n") == "bind(): Permission denied"
    assert decisive_line("") == ""
