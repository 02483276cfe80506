# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a slot under the Emperor or supervisor outlives its server, and is killed."""

from __future__ import annotations

import math

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _orphans

# supervisord (10) runs a server (11) with a worker (12); 13 is a daemon of an earlier release, 14 one of the live release, 15 a
# login, 16 a daemon of another user.
RUNNING = {(10, 1): 1, (11, 5): 10, (12, 6): 11, (13, 2): 1, (14, 7): 1, (15, 3): 1, (16, 3): 1}
UNITS = dict.fromkeys((10, 11, 12, 13, 14, 16), "supervisor.service")
USERS = {10: 0, 16: 998}


@pytest.mark.parametrize(("before", "killed"), [(4, {13}), (math.inf, {13, 14})])
def test_what_is_older_than_the_live_release(monkeypatch, before, killed):
    running = dict(RUNNING)
    gone = set()

    def kill(processes):
        gone.update(pid for pid, _start in processes)
        for process in processes:
            del running[process]

    monkeypatch.setattr(_orphans.pwd, "getpwnam", lambda name: _orphans.pwd.struct_passwd(["shop", "x", 997, 997, "", "", ""]))
    monkeypatch.setattr(_orphans._processes, "all_processes", lambda: dict(running))
    monkeypatch.setattr(_orphans._processes, "unit", UNITS.get)
    monkeypatch.setattr(_orphans._processes, "started", dict(RUNNING).get)
    monkeypatch.setattr(_orphans._processes, "kill", kill)
    monkeypatch.setattr(_orphans._systemd, "main_pid", {"supervisor.service": 10}.get)
    monkeypatch.setattr(_orphans, "user_of", lambda pid: USERS.get(pid, 997))
    _orphans.kill("shop", before)
    assert gone == killed
