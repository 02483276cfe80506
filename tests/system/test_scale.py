# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run does not grow with the number of apps, and a run that changes little costs little."""

from __future__ import annotations

import pytest
from conftest import HELLO, HOSTS, Server

MOST = {"first": 30, "again": 1, "code": 6}
"""How many modules each run executes on the host at most: with new apps, with nothing new, with the new code of one app."""


@pytest.fixture
def server(tmp_path_factory):
    """A host of this test's own: each run tells of what the apps of other tests have left."""
    host = Server(f"{HOSTS}scale12", 12, tmp_path_factory.mktemp("scale"))
    host.need("curl")
    yield host
    host.down()


def test_thirty_apps_cost_the_tasks_of_one(server, hello, code):
    hello.update(processes=1, tls={"mode": "self_signed", "redirect": False})
    plays = {}
    for count in (1, 30):
        apps = [{**hello, "name": f"app-{number}", "mount": f"/app-{number}"} for number in range(1, count + 1)]
        plays["first", count] = server.converge(apps, "-vvv")
        plays["again", count] = server.converge(apps, "-vvv")
        for app in apps:
            assert server.get(f"{app['mount']}/x").split("|")[2:] == [app["mount"], "/x"]
        apps[0]["source"] = code(HELLO.replace("hello", f"new {count}"), f"new-{count}")
        plays["code", count] = server.converge(apps, "-vvv")
        assert server.get("/app-1/").startswith(f"200 new {count}|")

    for run, most in MOST.items():
        one, thirty = plays[run, 1], plays[run, 30]
        assert len(one.results) == len(thirty.results) > 0
        assert 0 < one.executions <= most
        assert 0 < thirty.executions <= most
        print(
            f"{run}: {len(one.results)} task results, {one.executions} module executions with 1 app, {thirty.executions} with 30"
        )
    assert plays["again", 1].changed == plays["again", 30].changed == []
