# SPDX-License-Identifier: GPL-3.0-or-later
"""Root holds the sockets of all apps: what an app may not touch, and what a crash, a restart and a boot cost its visitors."""

from __future__ import annotations

import contextlib
import copy
import threading
import time

import pytest
from conftest import on

APPS = {"on-uwsgi": "uwsgi", "on-emperor": "uwsgi_emperor", "on-gunicorn": "gunicorn_supervisor"}

CLIENTS = 8
"""Clients of each app under load, each with 25 requests a second. No more requests than that can be in flight."""

CODE = """
import os, sys, time

if os.path.exists(os.environ["SHARED"] + "/broken"):
    raise RuntimeError("something is broken")
if {"uwsgi", "gunicorn"} & {*sys.modules}:
    time.sleep(float(os.environ["SECONDS"]))

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["WSGI_RELEASE"].encode()]
"""

VISITS = """
end=$(($(date +%s) + $2))
while [ "$(date +%s)" -lt "$end" ]; do
    curl --silent --max-time 20 --output /dev/null --write-out '%{http_code} %{time_total}\\n' "http://127.0.0.1/$1/" || true
    sleep 0.1
done
"""
"""Visitors of an app for some seconds, one after the other: the status and the seconds of each answer."""


@pytest.fixture(scope="module")
def apps(server, tmp_path_factory):
    """An app under each stack, made in one play."""
    server.need("hey")
    directory = tmp_path_factory.mktemp("code")
    (directory / "app.py").write_text(CODE)
    common = {"source": {"directory": str(directory)}, "entry_point": "app:application", "processes": 2}
    made = [
        {
            **common,
            "name": name,
            "mount": f"/{name}",
            "stack": stack,
            "environment": {"SHARED": f"/srv/wsgi/{name}/shared", "SECONDS": "0"},
        }
        for name, stack in APPS.items()
    ]
    server.converge(made, wsgi_prune=True, wsgi_remove_shared=True)  # with what tests before this one have left
    return made


@contextlib.contextmanager
def loads(server, *names):
    """Requests to some apps for as long as the block lasts; gives how many had which result, by app, when it has ended."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(server.load(f"/{name}/", CLIENTS)) for name in names}


def failed(load):
    assert load.get("200", 0) > 20, load
    return sum(count for result, count in load.items() if result != "200")


def live_slot(server, name):
    return server.sh(f"readlink /run/wsgi/{name}/app.sock").strip().removesuffix(".sock")


def masters(server, name):
    """The processes of an app's user that no other process of that user has started."""
    lines = [line.split() for line in server.sh(f"ps -u {name} -o pid=,ppid= || true").splitlines()]
    pids = {pid for pid, _parent in lines}
    return [pid for pid, parent in lines if parent not in pids]


def kill_master(server, name):
    (master,) = masters(server, name)
    server.sh(f"kill -9 {master}")


def await_pages(server, *names, seconds=30):
    for name in names:
        ask = f"curl --silent --fail --max-time 20 --output /dev/null http://127.0.0.1/{name}/"
        server.sh(f"for _ in $(seq {seconds * 10}); do {ask} && exit; sleep 0.1; done; exit 1")


@on(12)
def test_an_app_reaches_neither_its_sockets_nor_the_list_of_its_releases(server, apps):
    for app in apps:
        name, slot = app["name"], live_slot(server, app["name"])
        paths = [
            "/run/wsgi",
            *(f"/run/wsgi/{name}{below}" for below in ("", f"/{slot}.sock")),
            *(f"/srv/wsgi/{name}{below}" for below in ("", "/builds", "/releases", "/slots", "/shared")),
        ]
        found = server.sh(f"stat -c '%F %a %U:%G' {' '.join(paths)}").splitlines()
        # The Emperor opens its sockets to everybody: the directory is the gate.
        socket = "666 root:root" if app["stack"] == "uwsgi_emperor" else "660 root:www-data"
        assert dict(zip(paths, found)) == {
            "/run/wsgi": "directory 755 root:root",
            f"/run/wsgi/{name}": "directory 750 root:www-data",
            f"/run/wsgi/{name}/{slot}.sock": f"socket {socket}",
            **{f"/srv/wsgi/{name}{below}": "directory 711 root:root" for below in ("", "/builds", "/releases", "/slots")},
            f"/srv/wsgi/{name}/shared": f"directory 750 {name}:{name}",
        }
        links = [f"/run/wsgi/{name}/app.sock", f"/srv/wsgi/{name}/slots/{slot}", f"/srv/wsgi/{name}/current"]
        assert server.sh(f"stat -c '%F %U' {' '.join(links)}").splitlines() == ["symbolic link root"] * 3
        user = f"setpriv --reuid={name} --regid={name} --init-groups"
        for attempt in (
            f"ls /run/wsgi/{name}",
            f"cat /run/wsgi/{name}/app.sock",
            f"ln -sfn /dev/null /run/wsgi/{name}/app.sock",
            f"mv /run/wsgi/{name} /run/wsgi/mine",
            f"ls /srv/wsgi/{name}/releases",
            f"mkdir /srv/wsgi/{name}/releases/9",
            f"flock --nonblock /srv/wsgi/{name}/slots true",
            f"flock --nonblock /var/lib/wsgi/locks/rollout-{name} true",
        ):
            told = server.sh(f"if {user} {attempt} 2>&1; then echo done; fi")
            assert "Permission denied" in told, (attempt, told)
    # The slot that serves nobody has no socket that could start it.
    assert {server.sh(f"find /run/wsgi/{name} -type s | wc -l").strip() for name in APPS} == {"1"}


@on(12)
def test_a_killed_master_costs_no_more_than_the_requests_in_flight(server, apps):
    kills = 2
    with loads(server, *APPS) as load:
        for _kill in range(kills):
            time.sleep(3)
            for name in APPS:
                kill_master(server, name)
        time.sleep(3)
        await_pages(server, *APPS)
    assert failed(load["on-uwsgi"]) == 0, load
    assert failed(load["on-emperor"]) <= kills * CLIENTS, load
    assert failed(load["on-gunicorn"]) <= kills * CLIENTS, load
    print(f"{kills} kills of each master: {load}")


@on(12)
def test_a_restart_of_the_live_slot_costs_nothing(server, apps):
    with loads(server, "on-uwsgi") as load:
        for _restart in range(2):
            time.sleep(1)
            server.sh(f"systemctl restart wsgi-{live_slot(server, 'on-uwsgi')}@on-uwsgi.service")
        time.sleep(1)
    assert failed(load["on-uwsgi"]) == 0, load


@on(12)
def test_an_app_that_cannot_start_answers_soon_and_comes_back_by_itself(server, apps):
    for name in APPS:
        others = [other for other in APPS if other != name]
        with loads(server, *others) as load:
            began = server.sh(f"touch /srv/wsgi/{name}/shared/broken; date +%s").strip()
            kill_master(server, name)
            visits = [line.split() for line in server.sh(VISITS, name, "8").splitlines()]
            server.sh(f"rm /srv/wsgi/{name}/shared/broken")
            await_pages(server, name)
        assert {status for status, _seconds in visits} <= {"200", "502"}, visits
        assert visits[-1][0] == "502", visits
        assert max(float(seconds) for _status, seconds in visits) < 5, visits
        # They did not wait until systemd had given up, either, which a fast machine does soon.
        assert "start-limit-hit" not in server.sh(f"journalctl --no-pager --since @{began} | grep '@{name}[.]' || true")
        assert all(failed(each) == 0 for each in load.values()), load
        assert len(masters(server, name)) == 1


@on(12)
def test_all_apps_answer_after_a_reboot_and_none_that_does_not_sleep_waits_for_a_visitor(server, apps):
    server.reboot()
    server.sh("for _ in $(seq 100); do pgrep -u on-emperor >/dev/null && exit; sleep 0.1; done; exit 1")
    await_pages(server, *APPS)  # nginx may be there before supervisord
    assert server.converge(apps).changed == []


@on(12)
@pytest.mark.parametrize("stagger", [0, 6])
def test_two_plays_at_once_do_not_stop_what_the_other_made_live(server, apps, tmp_path, stagger):
    wanted = [{**app, "environment": {**app["environment"], "SECONDS": "4", "PLAYS": f"{stagger} s apart"}} for app in apps]
    before = {name: server.get(f"/{name}/") for name in APPS}
    second = copy.copy(server)
    second.scratch = tmp_path
    plays = {}

    def play(host):
        plays[host] = host.play(wanted)

    with loads(server, *APPS) as load:
        other = threading.Thread(target=play, args=[server])
        other.start()
        time.sleep(stagger)
        play(second)
        other.join()
    assert [(each.code, each.message) for each in plays.values()] == [(0, "")] * 2, "\n".join(
        each.output for each in plays.values()
    )
    assert all(failed(each) == 0 for each in load.values()), load
    for name in APPS:
        assert len(masters(server, name)) == 1
        assert server.sh(f"find /run/wsgi/{name} -type s").split() == [f"/run/wsgi/{name}/{live_slot(server, name)}.sock"]
        assert server.get(f"/{name}/") == f"200 {int(before[name].split()[1]) + 1}"
    assert server.converge(wanted).changed == []
