# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps under the Emperor whose processes go when nobody asks for them, and come with the next request."""

from __future__ import annotations

import pytest
from conftest import HELLO, on

pytestmark = pytest.mark.long

IDLE = {"stack": "uwsgi_emperor", "idle": 2}
LINKS = "/etc/uwsgi/apps-enabled"
OPENED = "/run/wsgi/hello/*.sock"


@pytest.fixture(scope="module", autouse=True)
def hey(server):
    server.need("hey")


def await_sleep(server):
    """Wait until the app has no process, the Emperor's word for it included."""
    server.sh("for _ in $(seq 150); do pgrep -u hello >/dev/null || break; sleep 0.1; done; sleep 1.5; ! pgrep -u hello")


def await_page(server, start):
    server.sh(f"for _ in $(seq 150); do curl -s http://127.0.0.1/ | grep -q '^{start}' && exit; sleep 0.1; done; exit 1")


def master(server):
    return server.sh("pgrep -o -u hello").strip()


def left(server):
    """What there is of the app's slots: their sockets, their vassals, their units."""
    kinds = {
        "sockets": f"ls {OPENED} 2>/dev/null | grep -v app.sock || true",
        "vassals": "find /etc/uwsgi -name '*@hello*' | sort",
        "units": "systemctl list-units --state active --no-legend --plain 'wsgi-*@hello.service' | cut -d ' ' -f 1",
    }
    return {kind: server.sh(command).split() for kind, command in kinds.items()}


def slept(slot):
    """The same of an app that sleeps, or slept until a moment ago."""
    vassal = f"wsgi-{slot}@hello.ini"
    files = [f"/etc/uwsgi/apps-available/{vassal}", f"{LINKS}/{vassal}", f"{LINKS}/{vassal}.socket"]
    return {"sockets": [f"/run/wsgi/hello/{slot}.sock"], "vassals": files, "units": []}


@on(13)
def test_an_app_sleeps_until_somebody_asks_for_it(server, hello, code):
    app = {**hello, **IDLE}
    server.converge([], wsgi_prune=True, wsgi_remove_shared=True)  # what tests before this one have left
    server.converge([app])
    await_sleep(server)
    assert left(server) == slept("blue")
    assert server.get("/").startswith("200 hello|")
    status = server.sh(f"grep -hE '^(CapPrm|CapEff|CapAmb)' /proc/{master(server)}/status").split()
    assert [value.strip("0") for value in status[1::2]] == ["", "", ""]
    assert server.sh("stat -c %a:%U:%G /run/wsgi/hello").strip() == "750:root:www-data"

    # What it runs is known in its sleep too, and a release that is no good leaves it asleep and nothing of itself.
    await_sleep(server)
    play = server.converge([app])
    assert (play.changed, server.sh("pgrep -u hello || true")) == ([], "")
    code(HELLO.replace("200 OK", "500 No"))
    play = server.play([app])
    assert play.code, play.output
    assert "app hello: health: release 2 failed its health check: GET / returned 500 instead of 200" in play.message
    assert left(server) == slept("blue")
    assert server.get("/").startswith("200 hello|")
    await_sleep(server)
    code(HELLO)
    server.converge([{**app, "environment": {"GREETING": "more"}}])
    assert left(server) == slept("green")
    assert server.get("/").startswith("200 more|")

    # Whatever is killed, awake or asleep, the next request finds it.
    server.sh(f"kill -9 {master(server)}")
    await_page(server, "more")
    for prepare in (lambda server: None, await_sleep):
        prepare(server)
        server.sh("kill -9 $(systemctl show -P MainPID wsgi-emperor)")
        await_page(server, "more")
    await_sleep(server)
    server.reboot()
    assert server.sh("systemctl is-active wsgi-emperor; pgrep -u hello || true").split() == ["active"]
    assert server.converge([{**app, "environment": {"GREETING": "more"}}]).changed == []
    assert server.get("/").startswith("200 more|")


@on(13)
def test_no_request_fails_while_an_app_that_sleeps_changes(server, hello):
    app = {**hello, **IDLE}
    server.converge([app])
    changes = [
        {**app, "environment": {"GREETING": "more"}},
        {**app, "idle": None},
        app,
        {**hello, "stack": "uwsgi"},
        app,
    ]
    with server.load("/", 4) as fast, server.load("/slow", 4) as slow:
        for change in changes:
            server.converge([change])
    for load in (fast, slow):
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load

    # It falls asleep 5 to 6 s after a request, and is asked at all moments of that.
    slept = "journalctl -o cat -u wsgi-emperor | grep -c 'back to \"on demand\" mode' || true"
    before = int(server.sh(slept))
    answers = server.sh(
        "for seconds in 4.6 5 5.3 5.6 6 6.5; do sleep $seconds; for _ in $(seq 30); do"
        " curl -s -o /dev/null -w '%{http_code}\\n' http://127.0.0.1/ & sleep 0.05; done; wait; done"
    ).split()
    assert set(answers) == {"200"}
    assert len(answers) == 180
    assert int(server.sh(slept)) > before + 1

    server.converge([{**hello, "stack": "uwsgi"}])
    (unit,) = left(server)["units"]
    slot = unit.split("@")[0][5:]
    assert left(server) == {"sockets": [f"/run/wsgi/hello/{slot}.sock"], "vassals": [], "units": [unit]}


@on(13)
def test_an_emperor_that_was_put_away_by_hand_starts_nothing_beside_a_unit(server, hello):
    server.converge([{**hello, **IDLE}])
    server.sh("systemctl disable --now --quiet wsgi-emperor")
    server.converge([{**hello, "stack": "uwsgi"}])
    assert left(server)["vassals"] == []
    assert server.converge([{**hello, "stack": "uwsgi"}]).changed == []
