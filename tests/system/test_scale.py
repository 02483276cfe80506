# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run does not grow with the number of apps, and a run that changes little costs little."""

from __future__ import annotations

import re

from conftest import HELLO, on

MOST = {"first": 30, "again": 1, "code": 5}
"""How many modules each run executes on the host at most: with new apps, with nothing new, with the new code of one app."""


@on(12, "new_server")
def test_thirty_apps_cost_the_tasks_of_one(new_server, hello, code):
    hello.update(processes=1, tls={"mode": "self_signed", "redirect": False})
    plays = {}
    for count in (1, 30):
        apps = [{**hello, "name": f"app-{number}", "mount": f"/app-{number}"} for number in range(1, count + 1)]
        plays["first", count] = new_server.converge(apps, "-vvv")
        plays["again", count] = new_server.converge(apps, "-vvv")
        for app in apps:
            assert new_server.get(f"{app['mount']}/x").split("|")[2:] == [app["mount"], "/x"]
        apps[0]["source"] = code(HELLO.replace("hello", f"new {count}"), f"new-{count}")
        plays["code", count] = new_server.converge(apps, "-vvv")
        assert new_server.get("/app-1/").startswith(f"200 new {count}|")

    for run, most in MOST.items():
        one, thirty = plays[run, 1], plays[run, 30]
        assert len(one.results) == len(thirty.results) > 0
        assert 0 < one.executions <= most
        assert 0 < thirty.executions <= most
        print(
            f"{run}: {len(one.results)} task results, {one.executions} module executions with 1 app, {thirty.executions} with 30"
        )
    assert plays["again", 1].changed == plays["again", 30].changed == []
    for run, changed in (("again", []), ("code", ["app-1"])):
        rows = re.findall(r"^(app-\d+) +\d+ .* https?://\S+/app-\d+/ +(\w+) +[\d.-]+$", plays[run, 30].output, re.MULTILINE)
        assert len(rows) == 30, plays[run, 30].output
        assert [name for name, changes in rows if changes != "no"] == changed
