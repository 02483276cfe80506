# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run does not grow with the number of apps."""

from __future__ import annotations

from conftest import on

ROUND_TRIPS = 25


@on(12)
def test_thirty_apps_cost_the_tasks_of_one(server, hello):
    one = [{**hello, "name": "app-1", "mount": "/app-1", "processes": 1}]
    thirty = [{**hello, "name": f"app-{number}", "mount": f"/app-{number}", "processes": 1} for number in range(1, 31)]

    first, again = {}, {}
    for apps in (one, thirty):
        first[len(apps)] = server.converge(apps)
        again[len(apps)] = server.converge(apps, "-vvv")

    assert len(first[1].results) == len(first[30].results) > 0
    assert len(again[1].results) == len(again[30].results) == len(first[1].results)
    assert again[1].changed == again[30].changed == []
    assert 0 < again[30].round_trips == again[1].round_trips <= ROUND_TRIPS
    for app in thirty:
        assert server.get(f"{app['mount']}/x").split("|")[2:] == [app["mount"], "/x"]
    counts = f"{len(first[1].results)} with 1 app, {len(first[30].results)} with 30"
    print(f"task results: {counts}; round trips of a run that changes nothing: {again[30].round_trips}")
