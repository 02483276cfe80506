# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a slot under the Emperor or supervisor outlives its server, and is killed."""

from __future__ import annotations

import contextlib
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _orphans

# supervisord (10) runs a server (11) with a worker (12), and what the app has given it as a child (13); 14 is a daemon, 15 one of
# another user, 16 a setuid program of the app's, 17 has just ended.
RUNNING = {(10, 1): 1, (11, 5): 10, (12, 6): 11, (13, 7): 10, (14, 2): 1, (15, 3): 1, (16, 3): 1, (17, 0): None}
USERS = {10: {0}, 15: {998}, 16: {997, 0}, 17: None}


@pytest.fixture
def host(monkeypatch):
    """What runs, what was killed, and how often the service stood still."""
    seen = {"running": dict(RUNNING), "killed": [], "frozen": 0}

    @contextlib.contextmanager
    def frozen(unit, group):
        seen["frozen"] += 1
        seen["running"].pop((14, 2), None)
        seen["running"][(18, 9)] = 1  # 14 has forked and ended since it was seen
        yield

    def kill(pid, _signal):
        seen["killed"].append(pid)
        for process in [process for process in seen["running"] if process[0] == pid]:
            del seen["running"][process]

    monkeypatch.setattr(_orphans.pwd, "getpwnam", lambda name: pwd.struct_passwd(["shop", "x", 997, 997, "", "", ""]))
    monkeypatch.setattr(_orphans._control_group, "directory", {"supervisor.service": "/group"}.get)
    monkeypatch.setattr(_orphans._control_group, "members", lambda group: dict(seen["running"]))
    monkeypatch.setattr(_orphans._control_group, "frozen", frozen)
    monkeypatch.setattr(_orphans, "uids_of", lambda pid: USERS.get(pid, {997}))
    monkeypatch.setattr(_orphans.os, "kill", kill)
    return seen


def test_only_servers_that_the_service_names_and_their_children_stay(host):
    _orphans.kill("supervisor.service", "shop", [11])
    assert sorted(host["killed"]) == [13, 16, 18]


def test_a_service_stands_still_only_if_there_may_be_something(host):
    _orphans.kill("wsgi-emperor.service", "shop", [])
    host["running"] = {process: RUNNING[process] for process in ((10, 1), (11, 5), (12, 6), (15, 3))}
    _orphans.kill("supervisor.service", "shop", [11])
    assert host["frozen"] == 0
    host["running"][(17, 0)] = None  # it may have forked
    _orphans.kill("supervisor.service", "shop", [11])
    assert host["frozen"] == 1
    assert host["killed"] == [18]
