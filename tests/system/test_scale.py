# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run does not grow with the number of apps, and a run that changes little costs little."""

from __future__ import annotations

import re

from conftest import HELLO, on

MOST = {"first": 30, "again": 1, "code": 5}
"""How many modules each run executes on the host at most: with new apps, with nothing new, with the new code of one app."""


def converge_and_count(server, apps):
    """The play, and for each app how many requests nginx got meanwhile."""
    script = "cd /var/log/nginx; for app; do wc -l <$app.access.log; done"
    names = [app["name"] for app in apps]
    before, play, after = (server.sh(script, *names), server.converge(apps, "-vvv"), server.sh(script, *names))
    counts = zip(map(int, before.split()), map(int, after.split()), strict=True)
    return play, dict(zip(names, (last - first for first, last in counts), strict=True))


@on(12, "new_server")
def test_thirty_apps_cost_the_tasks_of_one(new_server, hello, code):
    hello.update(processes=1, tls={"mode": "self_signed", "redirect": False})
    plays, visits = {}, {}
    for count in (1, 30):
        apps = [{**hello, "name": f"app-{number}", "mount": f"/app-{number}"} for number in range(1, count + 1)]
        plays["first", count] = new_server.converge(apps, "-vvv")
        plays["again", count], visits["again"] = converge_and_count(new_server, apps)
        for app in apps:
            assert new_server.get(f"{app['mount']}/x").split("|")[2:] == [app["mount"], "/x"]
        apps[0]["source"] = code(HELLO.replace("hello", f"new {count}"), f"new-{count}")
        plays["code", count], visits["code"] = converge_and_count(new_server, apps)
        assert new_server.get("/app-1/").startswith(f"200 new {count}|")

    others = {run: {app: count for app, count in counts.items() if app != "app-1"} for run, counts in visits.items()}
    assert len(others["code"]) == 29
    assert others["code"] == others["again"], "an app that did not change was requested by more than the survey"
    assert visits["code"]["app-1"] > visits["again"]["app-1"] > 0

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


@on(12, "new_server")
def test_what_a_module_imports_is_read_and_compiled_once(new_server, hello, tmp_path):
    def kept():
        return new_server.sh("stat --format '%n %a %U %y' /var/lib/wsgi/modules.*").split(maxsplit=3)

    # What Ansible sends is kept on the controller, by the names that this Ansible gives it.
    home = tmp_path / "home"
    home.mkdir()
    new_server.environment.update(ANSIBLE_HOME=str(home), ANSIBLE_SSH_CONTROL_PATH_DIR="~/.ansible/cp")
    new_server.converge([hello])
    sent = {path.name.split("-")[0].rpartition(".")[2] for path in home.glob("wsgi.stack/archives/*/*")}
    assert sent >= {"survey", "build", "release", "rollout", "site_probe_info"}

    first = kept()
    assert re.fullmatch(r"/var/lib/wsgi/modules\.cpython-\d+\.pyc", first[0])
    assert first[1:3] == ["600", "root"]
    assert new_server.converge([hello]).changed == []
    once = kept()
    assert new_server.converge([hello]).changed == []
    assert kept() == once, "what the survey imports was compiled again"

    new_server.sh("truncate --size -9 /var/lib/wsgi/modules.*")
    assert new_server.converge([hello]).changed == []
    again = kept()
    assert again[:3] == first[:3]
    assert again[3] > once[3]
    new_server.converge([hello])
    assert kept() == again
