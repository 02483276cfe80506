# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of the Emperor's stats socket."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _emperor_stats
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._emperor_stats import EmperorStats, Vassal, parse

BLUE = "wsgi-blue@shop.ini"


def vassal(**keys):
    return {"id": BLUE, "pid": 10, "ready": 1, "accepting": 1, "cursed": 0, "loyal": 1, "on_demand": "", "respawns": 0, **keys}


def answer(*vassals, blacklist=()):
    return {"version": "2.0.28-debian", "pid": 2, "emperor_tyrant": 1, "vassals": list(vassals), "blacklist": list(blacklist)}


def test_the_stats_are_read():
    exited = {"id": "wsgi-green@shop.ini", "throttle_level": 1, "attempt": 0}
    assert parse(answer(vassal(), vassal(id="foreign.ini", accepting=0, cursed=1795190407), blacklist=[exited])) == EmperorStats(
        {BLUE: Vassal(10, True, False), "foreign.ini": Vassal(10, False, True)}, {"wsgi-green@shop.ini": 1}
    )
    assert parse(answer()) == EmperorStats()
    asleep = vassal(pid=-1, ready=0, accepting=0, on_demand="/run/wsgi/shop/blue.sock")
    assert parse(answer(asleep)).vassals == {BLUE: Vassal(-1, False, False, True)}


def test_of_a_vassal_that_is_being_replaced_the_new_one_counts():
    assert parse(answer(vassal(), vassal(pid=11, accepting=0))).vassals == {BLUE: Vassal(11, False, False)}


def test_without_an_emperor_there_are_no_stats(monkeypatch, tmp_path):
    monkeypatch.setattr(_layout, "EMPEROR_STATS", str(tmp_path / "stats.sock"))
    assert _emperor_stats.stats() is None
