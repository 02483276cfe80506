# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps make a release live, from which state."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._worker_state import Workers
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._plan import describe, plan, staged, switching
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import Slot, State

RUNS = ("uwsgi",)
EMPEROR = ("uwsgi_emperor",)
WELL = Slot(stacks=RUNS, enabled=RUNS, release=1, answers=True)
EMPEROR_LIVE = Slot(stacks=EMPEROR, enabled=EMPEROR, release=1, answers=True)
GONE = Slot()


def state(live, blue=GONE, green=GONE, boot="same", current=1, upstream="same", **links):
    """A state in which what is not told is as after a rollout to ``live``."""
    noted = {"boot": boot, "upstream": upstream}
    noted = {key: live if slot == "same" else slot for key, slot in noted.items()}
    return State(live=live, current=current, slots={"blue": blue, "green": green}, **noted, **links)


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
            state("blue", Slot(stacks=RUNS, enabled=RUNS, release=1)),
            1,
            [*ROLLOUT_TO_GREEN, ("stop", "blue")],
            id="live slot is unhealthy",
        ),
        pytest.param(
            state("blue", Slot(enabled=RUNS, release=1)), 1, [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="live slot is down"
        ),
        pytest.param(
            state("green", WELL, Slot(stacks=RUNS, release=2, answers=True), boot="blue"),
            2,
            [("record", "green"), ("stop", "blue")],
            id="killed after the flip",
        ),
        pytest.param(
            state("green", Slot(stacks=RUNS), Slot(RUNS, RUNS, 2, True), current=2),
            2,
            [("stop", "blue")],
            id="killed before the stop",
        ),
        pytest.param(
            state("blue", WELL, Slot(stacks=RUNS, release=2)),
            2,
            [*ROLLOUT_TO_GREEN, ("stop", "blue")],
            id="killed before the flip: started anew",
        ),
        pytest.param(
            state("blue", WELL, Slot(stacks=RUNS, release=2)), 1, [("stop", "green")], id="killed before the flip, and taken back"
        ),
        pytest.param(
            state("blue", WELL, Slot(enabled=RUNS)),
            1,
            [("record", "blue"), ("stop", "green")],
            id="both slots would be started at boot",
        ),
        pytest.param(state("blue", WELL, boot=None), 1, [("record", "blue")], id="nothing noted for the boot"),
        pytest.param(
            state(None, WELL, boot="blue"),
            1,
            [("flip", "blue"), ("record", "blue")],
            id="live link is gone",
        ),
    ],
)
def test_plan(before, wanted, steps):
    assert plan(before, wanted, "uwsgi") == steps


RUNNING = Workers(there=True)


@pytest.mark.parametrize(
    ("before", "wanted", "preview", "steps"),
    [
        pytest.param(state("blue", replace(WELL, workers=RUNNING)), 1, False, [], id="they run"),
        pytest.param(
            state("blue", replace(WELL, workers=Workers(up=False, there=True))),
            1,
            False,
            [("workers", "blue"), ("record", "blue")],
            id="one was stopped",
        ),
        pytest.param(
            state("blue", replace(WELL, workers=Workers(recorded=False, there=True))),
            1,
            False,
            [("record", "blue")],
            id="a timer",
        ),
        pytest.param(
            state("blue", replace(WELL, workers=RUNNING)),
            2,
            False,
            [("start", "green"), ("workers", "green"), ("flip", "green"), ("record", "green"), ("stop", "blue")],
            id="before the flip",
        ),
        pytest.param(
            state("blue", replace(WELL, workers=RUNNING)), 2, True, [("start", "green"), ("preview", "green")], id="preview"
        ),
        pytest.param(
            state(
                "blue",
                replace(WELL, workers=RUNNING),
                Slot(stacks=RUNS, release=2, answers=True, workers=Workers(up=False)),
                preview="green",
            ),
            2,
            False,
            [("workers", "green"), ("flip", "green"), ("record", "green"), ("stop", "blue")],
            id="what was staged goes live",
        ),
        pytest.param(
            state("green", Slot(workers=RUNNING), Slot(RUNS, RUNS, 2, True, workers=RUNNING), current=2),
            2,
            False,
            [("stop", "blue")],
            id="killed before the old ones ended",
        ),
    ],
)
def test_plan_with_workers(before, wanted, preview, steps):
    assert plan(before, wanted, "uwsgi", preview, workers=True) == steps


@pytest.mark.parametrize(
    ("before", "stack", "steps"),
    [
        pytest.param(state("blue", EMPEROR_LIVE), "uwsgi_emperor", [], id="already live"),
        pytest.param(state("blue", WELL), "uwsgi_emperor", [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="to the Emperor"),
        pytest.param(state("blue", EMPEROR_LIVE), "uwsgi", [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="from the Emperor"),
        pytest.param(
            state("green", WELL, EMPEROR_LIVE),
            "uwsgi_emperor",
            [("record", "green"), ("stop", "blue")],
            id="killed after the flip",
        ),
        pytest.param(
            state("green", Slot(stacks=RUNS, release=1), EMPEROR_LIVE),
            "uwsgi_emperor",
            [("stop", "blue")],
            id="killed before the stop",
        ),
        pytest.param(
            state("blue", WELL, EMPEROR_LIVE),
            "uwsgi",
            [("record", "blue"), ("stop", "green")],
            id="killed before the flip, and taken back",
        ),
        pytest.param(
            state("blue", Slot(RUNS, (*RUNS, *EMPEROR), 1, True)), "uwsgi", [("record", "blue")], id="both would start it at boot"
        ),
        pytest.param(
            state("blue", Slot((*RUNS, *EMPEROR), RUNS, 1, True)),
            "uwsgi",
            [*ROLLOUT_TO_GREEN, ("stop", "blue")],
            id="both run it",
        ),
        pytest.param(
            state("blue", WELL, Slot(enabled=EMPEROR)),
            "uwsgi",
            [("record", "blue"), ("stop", "green")],
            id="the other one is still linked for an Emperor that does not run",
        ),
    ],
)
def test_the_stack_is_part_of_what_is_wanted(before, stack, steps):
    assert plan(before, 1, stack) == steps


PROGRAM = ("gunicorn_supervisor",)
HTTP = Slot(stacks=PROGRAM, enabled=PROGRAM, release=1, answers=True)
HTTP_2 = Slot(stacks=PROGRAM, enabled=PROGRAM, release=2, answers=True)
WELL_2 = Slot(stacks=RUNS, enabled=RUNS, release=2, answers=True)


@pytest.mark.parametrize(
    ("before", "wanted", "stack", "steps", "finished"),
    [
        pytest.param(
            state("blue", HTTP), 2, *PROGRAM, [*ROLLOUT_TO_GREEN, ("stop", "blue")], None, id="no other protocol: all at once"
        ),
        pytest.param(
            state("blue", WELL, upstream=None),
            2,
            *PROGRAM,
            [("start", "green"), ("flip", "green")],
            None,
            id="from uwsgi to http",
        ),
        pytest.param(
            state("blue", WELL, HTTP_2, upstream="green", current=2),
            2,
            *PROGRAM,
            [],
            [("record", "green"), ("stop", "blue")],
            id="nginx has been loaded with http",
        ),
        pytest.param(
            state("blue", HTTP, stale=True),
            2,
            *RUNS,
            [("start", "green"), ("flip", "green")],
            None,
            id="from http to uwsgi",
        ),
        pytest.param(
            state("green", HTTP, WELL_2, boot="blue", current=2, stale=True),
            2,
            *RUNS,
            [],
            [("record", "green"), ("stop", "blue")],
            id="nginx has been loaded with uwsgi",
        ),
        pytest.param(
            state("blue", HTTP, upstream=None),
            1,
            *PROGRAM,
            [("flip", "blue"), ("record", "blue")],
            None,
            id="nginx's link is gone",
        ),
        pytest.param(
            state("green", GONE, WELL_2, current=2, stale=True), 2, *RUNS, [("record", "green")], None, id="a link is left"
        ),
    ],
)
def test_an_old_slot_of_another_protocol_goes_when_nginx_speaks_the_new_one(before, wanted, stack, steps, finished):
    assert plan(before, wanted, stack) == steps
    if finished is not None:
        assert plan(before, wanted, stack, finish=True) == finished
    assert switching(before, wanted, stack) == (finished is not None or steps == [("start", "green"), ("flip", "green")])


@pytest.mark.parametrize("served", ["http", None], ids=["nginx says so", "it is not known what nginx has"])
def test_a_release_after_a_switch_that_nginx_was_never_loaded_for_takes_the_slot_without_visitors(served):
    before = state("blue", HTTP, WELL_2, upstream="green", current=1, stale=True, served=served)
    assert plan(before, 3, *RUNS) == [("start", "green"), ("flip", "green")]
    assert switching(before, 3, *RUNS)
    assert plan(before, 3, *RUNS, preview=True) == [("start", "green"), ("preview", "green")]
    started = after(before, ("start", "green"), 3, *RUNS)
    assert plan(started, 3, *RUNS) == []
    assert plan(started, 3, *RUNS, finish=True) == [("record", "green"), ("stop", "blue")]
    # What is staged there stays staged, and only a run without preview goes on.
    shown = replace(started, preview="green")
    assert plan(shown, 3, *RUNS, preview=True) == []
    assert staged(shown, 3, *RUNS)
    assert not staged(started, 3, *RUNS)
    # Back to what visitors have, or to another release like it.
    back = replace(before, upstream="blue")
    assert plan(back, 1, *PROGRAM) == []
    assert switching(back, 1, *PROGRAM)
    assert plan(back, 1, *PROGRAM, finish=True) == [("record", "blue"), ("stop", "green")]
    assert plan(back, 3, *PROGRAM) == [*ROLLOUT_TO_GREEN, ("stop", "blue")]


def test_a_release_after_a_switch_that_was_killed_when_nginx_had_been_loaded_takes_the_old_slot():
    before = state("blue", HTTP, WELL_2, upstream="green", current=2, stale=True, served="uwsgi")
    assert plan(before, 3, *RUNS) == [("start", "blue"), ("flip", "blue"), ("record", "blue"), ("stop", "green")]
    assert not switching(before, 3, *RUNS)


def test_a_new_slot_that_is_too_busy_to_answer_is_not_replaced_by_one_in_the_place_of_the_old_one():
    before = state("blue", WELL, replace(HTTP_2, answers=False), upstream="green", current=2, served="http")
    assert plan(before, 2, *PROGRAM, finish=True) == [("record", "green"), ("stop", "blue")]
    assert plan(before, 2, *PROGRAM) == [("start", "blue"), ("flip", "blue"), ("record", "blue"), ("stop", "green")]


@pytest.mark.parametrize(
    ("before", "steps", "then"),
    [
        pytest.param(
            state("blue", WELL), [("start", "green"), ("preview", "green")], [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="staged"
        ),
        pytest.param(
            state("blue", WELL, WELL_2, preview="green"),
            [],
            [("flip", "green"), ("record", "green"), ("stop", "blue")],
            id="staged already",
        ),
        pytest.param(
            state("blue", WELL, WELL_2),
            [("preview", "green")],
            [("flip", "green"), ("record", "green"), ("stop", "blue")],
            id="killed before it was shown",
        ),
        pytest.param(
            state(None, current=None),
            [("start", "blue"), ("preview", "blue")],
            [("start", "blue"), ("flip", "blue"), ("record", "blue")],
            id="a first deployment",
        ),
        pytest.param(
            state(None, WELL_2, preview="blue", current=None),
            [],
            [("flip", "blue"), ("record", "blue")],
            id="a first one, staged",
        ),
        pytest.param(
            state("green", WELL, WELL_2, current=2, preview="blue"),
            [("record", "green"), ("stop", "blue")],
            [("record", "green"), ("stop", "blue")],
            id="what is live is wanted: what is staged is dropped",
        ),
    ],
)
def test_what_is_staged_goes_live_with_the_next_run(before, steps, then):
    assert plan(before, 2, "uwsgi", preview=True) == steps
    assert plan(before, 2, "uwsgi") == then
    assert staged(before, 2, "uwsgi") == ("flip" in {action for action, _slot in then})


def test_a_server_that_has_loaded_what_was_replaced_is_replaced():
    before = state("blue", Slot(RUNS, RUNS, 1, True, outdated=("/usr/bin/uwsgi-core",)))
    assert plan(before, 1, "uwsgi") == [*ROLLOUT_TO_GREEN, ("stop", "blue")]
    assert describe(before) == (
        "release 1 is live in blue under uwsgi and healthy, but was started before /usr/bin/uwsgi-core was replaced"
    )


def after(before, step, wanted, stack):
    """The state that a step leads to."""
    action, slot = step
    slots = dict(before.slots)
    if action == "start":
        slots[slot] = replace(slots[slot], stacks=(stack,), release=wanted, answers=True, outdated=())
    elif action == "flip":
        return replace(before, upstream=slot)
    elif action == "record":
        slots = {each: replace(slots[each], enabled=(stack,) if each == slot else ()) for each in slots}
        return replace(before, live=slot, boot=slot, current=wanted, preview=None, stale=False, slots=slots)
    elif action == "stop":
        slots[slot] = GONE
    return replace(before, slots=slots)


def test_every_plan_leads_to_the_wanted_release_without_a_gap():
    seen = Counter()
    slots = [GONE, WELL, EMPEROR_LIVE, replace(WELL, release=2), Slot(stacks=RUNS, release=2), Slot(enabled=RUNS)]
    for live, stack, blue, green in product([None, "blue", "green"], [*RUNS, *EMPEROR], slots, slots):
        now, steps = state(live, blue, green), plan(state(live, blue, green), 2, stack)
        case = f"{stack}, {live} is live, blue {blue}, green {green}: {steps}"
        for action, slot in steps:
            good = now.slots[slot].release == 2 and now.slots[slot].answers and now.slots[slot].stacks == (stack,)
            assert action not in ("start", "stop") or slot != now.upstream, case
            assert action not in ("flip", "record") or good, case
            now = after(now, (action, slot), 2, stack)
            seen[action] += 1
        assert plan(now, 2, stack) == [], case
    assert min(seen[action] for action in ("start", "flip", "record", "stop")) > 50
