# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps make a release live, from which state."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _run
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._run import (
    Slot,
    State,
    decisive_line,
    describe,
    held,
    moving,
    plan,
)

RUNS = ("uwsgi",)
REIGNS = ("uwsgi_emperor",)
WELL = Slot(stacks=RUNS, enabled=RUNS, release=1, answers=True)
CROWNED = Slot(stacks=REIGNS, enabled=REIGNS, release=1, answers=True)
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
            id="live slot is sick",
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


@pytest.mark.parametrize(
    ("before", "stack", "steps"),
    [
        pytest.param(state("blue", CROWNED), "uwsgi_emperor", [], id="already live"),
        pytest.param(state("blue", WELL), "uwsgi_emperor", [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="to the Emperor"),
        pytest.param(state("blue", CROWNED), "uwsgi", [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="from the Emperor"),
        pytest.param(
            state("green", WELL, CROWNED), "uwsgi_emperor", [("record", "green"), ("stop", "blue")], id="killed after the flip"
        ),
        pytest.param(
            state("green", Slot(stacks=RUNS, release=1), CROWNED),
            "uwsgi_emperor",
            [("stop", "blue")],
            id="killed before the stop",
        ),
        pytest.param(
            state("blue", WELL, CROWNED),
            "uwsgi",
            [("record", "blue"), ("stop", "green")],
            id="killed before the flip, and taken back",
        ),
        pytest.param(
            state("blue", Slot(RUNS, (*RUNS, *REIGNS), 1, True)), "uwsgi", [("record", "blue")], id="both would start it at boot"
        ),
        pytest.param(
            state("blue", Slot((*RUNS, *REIGNS), RUNS, 1, True)), "uwsgi", [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="both run it"
        ),
        pytest.param(
            state("blue", WELL, Slot(enabled=REIGNS)),
            "uwsgi",
            [("record", "blue"), ("stop", "green")],
            id="the other one is left in the realm of an Emperor that does not run",
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
    ("before", "wanted", "stack", "steps", "settled"),
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
def test_an_old_slot_of_another_protocol_goes_when_nginx_speaks_the_new_one(before, wanted, stack, steps, settled):
    assert plan(before, wanted, stack) == steps
    if settled is not None:
        assert plan(before, wanted, stack, settle=True) == settled
    assert moving(before, wanted, stack) == (settled is not None or steps == [("start", "green"), ("flip", "green")])


@pytest.mark.parametrize(
    ("before", "steps", "then"),
    [
        pytest.param(
            state("blue", WELL), [("start", "green"), ("preview", "green")], [*ROLLOUT_TO_GREEN, ("stop", "blue")], id="held"
        ),
        pytest.param(
            state("blue", WELL, WELL_2, preview="green"),
            [],
            [("flip", "green"), ("record", "green"), ("stop", "blue")],
            id="held already",
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
            state(None, WELL_2, preview="blue", current=None), [], [("flip", "blue"), ("record", "blue")], id="a first one, held"
        ),
        pytest.param(
            state("green", WELL, WELL_2, current=2, preview="blue"),
            [("record", "green"), ("stop", "blue")],
            [("record", "green"), ("stop", "blue")],
            id="what is live is wanted: what is held is dropped",
        ),
    ],
)
def test_what_is_held_goes_live_with_the_next_run(before, steps, then):
    assert plan(before, 2, "uwsgi", hold=True) == steps
    assert plan(before, 2, "uwsgi") == then
    assert held(before, 2, "uwsgi") == ("flip" in {action for action, _slot in then})


def test_a_history_has_what_went_live_once_each_time(tmp_path):
    history = tmp_path / "history"
    for release, stack in ((1, "uwsgi"), (2, "uwsgi"), (2, "uwsgi"), (2, "uwsgi_emperor"), (1, "uwsgi")):
        _run._note(str(history), release, stack)
    assert [line.split()[:2] for line in history.read_text().splitlines()] == [
        ["1", "uwsgi"],
        ["2", "uwsgi"],
        ["2", "uwsgi_emperor"],
        ["1", "uwsgi"],
    ]


def test_a_server_that_has_loaded_what_was_replaced_is_replaced():
    before = state("blue", Slot(RUNS, RUNS, 1, True, outdated=("/usr/bin/uwsgi-core",)))
    assert plan(before, 1, "uwsgi") == [*ROLLOUT_TO_GREEN, ("stop", "blue")]
    assert describe(before) == (
        "release 1 is live in blue under uwsgi and answers, but was started before /usr/bin/uwsgi-core was replaced"
    )


class FakeServer:
    """A server with one slot, of which it says what it is told to say."""

    def __init__(self, **instances):
        self.instances = instances

    def states(self, names):
        return {name: self.instances.get(name.partition("@")[0][5:], Instance()) for name in names}


@pytest.mark.parametrize(
    ("units", "vassals", "answers", "slot"),
    [
        pytest.param({}, {}, False, Slot(), id="nothing runs"),
        pytest.param(
            {"blue": Instance(True, True, enabled=True, pid=7)}, {}, True, Slot(RUNS, RUNS, None, True, ("of 7",)), id="a unit"
        ),
        pytest.param(
            {},
            {"blue": Instance(True, True, enabled=True, pid=8)},
            True,
            Slot(REIGNS, REIGNS, None, True, ("of 8",)),
            id="a vassal",
        ),
        pytest.param(
            {},
            {"blue": Instance(True, False, enabled=True)},
            True,
            Slot(REIGNS, REIGNS, None, False),
            id="a vassal that is not ready",
        ),
        pytest.param(
            {"blue": Instance(True, True)},
            {"blue": Instance(True, True)},
            True,
            Slot(RUNS + REIGNS, (), None, True),
            id="under both",
        ),
        pytest.param({"blue": Instance(True, True)}, {}, False, Slot(RUNS, (), None, False), id="no answer"),
    ],
)
def test_a_slot_is_looked_for_under_every_server(monkeypatch, tmp_path, units, vassals, answers, slot):
    source = {"git": "https://git.example.com/shop.git"}
    (app,) = _resolve.resolve(
        [{"name": "shop", "source": source, "entry_point": "shop:app"}], runtime_directory=str(tmp_path), directory=str(tmp_path)
    )
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/app.sock").symlink_to("blue.sock")
    servers = {"uwsgi": lambda: FakeServer(**units), "uwsgi_emperor": lambda: FakeServer(**vassals)}
    monkeypatch.setattr(_run, "SERVERS", servers)
    monkeypatch.setattr(_run, "_asked", lambda targets, _user, _timeout: [(answers, "")] * len(targets))
    monkeypatch.setattr(_run._processes, "replaced", lambda pid: [f"of {pid}"] if pid else [])
    assert _run.observe([app], "www-data")["shop"].slots == {"blue": slot, "green": Slot()}


@pytest.mark.parametrize(
    ("socket", "asked", "slot"),
    [
        pytest.param(True, [], Slot(REIGNS, REIGNS, 3, True), id="it is not woken"),
        pytest.param(False, ["blue.sock"], Slot(REIGNS, REIGNS, 2, False), id="its socket is gone"),
    ],
)
def test_a_slot_that_sleeps_is_well_if_its_socket_is_there(monkeypatch, tmp_path, socket, asked, slot):
    (app,) = _resolve.resolve(
        [{"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app"}],
        runtime_directory=str(tmp_path / "run"),
        directory=str(tmp_path),
    )
    (tmp_path / "run/shop").mkdir(parents=True)
    (tmp_path / "run/shop/blue.release").write_text("2\n")
    (tmp_path / "shop/slots").mkdir(parents=True)
    (tmp_path / "shop/slots/blue").symlink_to("../releases/3")
    if socket:
        (tmp_path / "run/shop/blue.sock").touch()
    blue = Instance(True, True, enabled=True, asleep=True)
    servers = {"uwsgi": FakeServer, "uwsgi_emperor": lambda: FakeServer(blue=blue)}
    monkeypatch.setattr(_run, "SERVERS", servers)
    targets = []
    monkeypatch.setattr(_run, "_asked", lambda given, _user, _timeout: targets.extend(given) or [(False, "")] * len(given))
    assert _run.observe([app], "www-data")["shop"].slots["blue"] == slot
    assert [path.rpartition("/")[2] for _app, path, _protocol in targets] == asked


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
    slots = [GONE, WELL, CROWNED, replace(WELL, release=2), Slot(stacks=RUNS, release=2), Slot(enabled=RUNS)]
    for live, stack, blue, green in product([None, "blue", "green"], [*RUNS, *REIGNS], slots, slots):
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


def test_the_last_exception_is_the_decisive_line():
    error = "ModuleNotFoundError: No module named 'flask'"
    log = f"Traceback (most recent call last):\n  File x\n{error}\nunable to load app 0\n*** no app loaded ***\n"
    assert decisive_line(log) == error
    assert decisive_line("bind(): Permission denied\n\n") == "bind(): Permission denied"
    assert decisive_line("") == ""
