# SPDX-License-Identifier: GPL-3.0-or-later
"""The same releases, run by gunicorn, each slot a program of the host's supervisor beside those of others."""

from __future__ import annotations

import json

import pytest
from conftest import HELLO, on

SUPERVISED = {"stack": "gunicorn_supervisor"}
PROGRAMS = "/etc/supervisor/conf.d"

# As many characters as possible that a shell, supervisor, an INI file or a %-format takes for something else.
ODD = "a\"b'c `id` $(id) $HOME ${X} %d %(here)s %%\n ; no comment # neither \\n\\ \t k=v,w é€😀 100%"

FLASK = """
import os
from flask import Flask, redirect, request, url_for

application = Flask(__name__)

@application.route("/")
def home():
    return "|".join([url_for("page", name="x"), url_for("page", name="x", _external=True), request.script_root, request.path])

@application.route("/page/<name>")
def page(name):
    return redirect(url_for("home"))

@application.route("/odd")
def odd():
    return os.environb[b"ODD"]

@application.route("/told")
def told():
    return {name: value for name, value in request.environ.items() if isinstance(value, str)}
"""

# Tells how often it is asked at once, which shows what kind of worker it is; which gunicorn it is; and by which connection it was
# asked.
WORKER = """
import os, sys, time
import gunicorn

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/connection":
        return [str(os.fstat(environ["gunicorn.socket"].fileno()).st_ino).encode()]
    kind = type(sys._getframe(2).f_locals.get("self")).__name__
    return [f"{gunicorn.__version__} {kind}".encode()]

class Deep:
    application = staticmethod(application)
"""


@pytest.fixture(scope="module", autouse=True)
def hey(server):
    server.need("hey", "supervisor")


@pytest.fixture
def neighbour(server):
    """Somebody else's program in supervisor, whose file was changed, but not applied; tells its process and its start."""
    server.sh(f"printf '[program:neighbour]\\ncommand=sleep 1000000\\n' >{PROGRAMS}/neighbour.conf")
    server.sh("systemctl is-active --quiet supervisor || systemctl start supervisor")
    wait = "for _ in $(seq 100); do supervisorctl {0} | grep -q '{1}' && exit; sleep 0.2; done; exit 1"
    server.sh(wait.format("pid", "^[0-9]"))
    server.sh("supervisorctl update")
    server.sh(wait.format("status neighbour", "RUNNING"))
    server.sh(f"echo 'command=sleep 2000000' >>{PROGRAMS}/neighbour.conf")
    yield lambda: server.sh("supervisorctl status neighbour | cut -d, -f1; pgrep -fx 'sleep 1000000'")
    server.sh(f"rm -f {PROGRAMS}/neighbour.conf; supervisorctl update")


def masters(server, app):
    """The masters of an app's gunicorns."""
    return server.sh(f"supervisorctl status | sed -n 's/^wsgi-.*@{app} .*RUNNING *pid \\([0-9]*\\),.*/\\1/p'").split()


def gunicorns(server, app):
    """How many gunicorns an app has, whoever has started them: their workers are their children."""
    found = [line.split() for line in server.sh(f"ps -u {app} -o pid=,ppid= || true").splitlines()]
    return len({pid for pid, _parent in found} - {pid for pid, parent in found if parent in {pid for pid, _parent in found}})


def connections(server, domain):
    """How many connections nginx makes to an app for twenty requests, one after the other."""
    pages = [server.get("/connection", domain) for _request in range(20)]
    assert all(page.startswith("200 ") for page in pages), pages
    return len({*pages})


def kinds(server, *domains):
    return [server.get("/", domain) for domain in domains]


@on(12)
def test_workers_of_each_kind_and_gunicorns_old_and_new(server, code, neighbour):
    before = neighbour()
    worker = {"source": code(WORKER), "entry_point": "app:application", **SUPERVISED}
    apps = [
        {**worker, "name": "plain", "domains": ["sync.test"], "threads": 1},
        {**worker, "name": "threaded", "domains": ["gthread.test"], "packages": ["gunicorn==20.1.0", "setuptools<81"]},
        {
            **worker,
            "name": "greenlets",
            "domains": ["gevent.test"],
            "gevent": 50,
            "processes": 1,
            "entry_point": "app:Deep.application",
        },
        {
            **worker,
            "name": "pinned",
            "domains": ["pinned.test"],
            "packages": ["gunicorn==21.2.0"],
            "server_options": {"max_requests": 9},
        },
    ]
    server.converge(apps)
    newest, *others = kinds(server, "sync.test", "gthread.test", "gevent.test", "pinned.test")
    number = newest.split()[1]
    assert int(number.partition(".")[0]) >= 27
    assert [newest, *others] == [
        f"200 {number} SyncWorker",
        "200 20.1.0 ThreadWorker",
        f"200 {number} GeventWorker",
        "200 21.2.0 ThreadWorker",
    ]
    # One process of greenlets answers many at once: one after the other, each of a second, they would take 20.
    seconds = server.sh("date +%s; hey -n 20 -c 20 -host gevent.test http://127.0.0.1/slow | grep -q '20 responses'; date +%s")
    began, ended = map(int, seconds.split())
    assert ended - began < 20
    assert server.converge(apps).changed == []
    assert neighbour() == before

    # What gunicorn itself would pass over in silence.
    play = server.play([{**apps[0], "server_options": {"max-request": 5}}, *apps[1:]])
    assert play.code != 0
    words = f"server_options.max-request: gunicorn {number} has no such setting; did you mean max_requests?"
    assert words in play.message, play.message
    assert kinds(server, "sync.test") == [newest]
    assert len(masters(server, "plain")) == 1

    # Somebody else's mistake is in the way of what is new, and of nothing that runs.
    server.sh(f"printf '[program:theirs]\\ncommand=true\\nuser=nobody-there\\n' >{PROGRAMS}/theirs.conf")
    play = server.play([{**apps[0], "threads": 2}, *apps[1:]])
    assert play.code != 0
    assert "app plain: supervisor: supervisord cannot read its configuration: " in play.message
    assert "theirs" in play.message
    assert "fix the file" in play.message
    assert kinds(server, "sync.test") == [newest]
    server.sh(f"rm {PROGRAMS}/theirs.conf")
    server.converge([{**apps[0], "threads": 2}, *apps[1:]])
    assert kinds(server, "sync.test") == [f"200 {number} ThreadWorker"]
    # Of this one nginx keeps its connections, each worker of its own; with that one it would lose requests.
    assert connections(server, "sync.test") <= int(server.sh("pgrep -c -u www-data nginx"))
    assert connections(server, "gthread.test") == connections(server, "gevent.test") == 20
    assert neighbour() == before


@on(13)
@pytest.mark.parametrize("pin", ["gunicorn==22.0.0", "gunicorn"])
def test_a_prefix_a_client_and_variables_come_out_right(server, code, pin):
    shop = {
        "name": "shop",
        "source": code(FLASK),
        "entry_point": "app:application",
        "packages": ["flask", pin],
        "mount": "/shop",
        "domains": ["shop.test"],
        "environment": {"ODD": ODD},
        **SUPERVISED,
    }
    server.converge([shop])
    assert server.get("/shop/", "shop.test") == "200 /shop/page/x|http://shop.test/shop/page/x|/shop|/"
    assert "location: /shop/\n" in server.sh("curl -si -H 'Host: shop.test' http://127.0.0.1/shop/page/y").lower()
    assert "location: /shop/\n" in server.sh("curl -si -H 'Host: shop.test' http://127.0.0.1/shop").lower()
    assert server.get("/shop/odd", "shop.test") == f"200 {ODD}"
    # Nobody but nginx says where a request came from, how, and for which prefix.
    forged = ["SCRIPT_NAME: /evil", "X-Script-Name: /evil", "X-Forwarded-Prefix: /evil", "X-Forwarded-Proto: https"]
    forged += ["X-Forwarded-Protocol: ssl", "X-Forwarded-Ssl: on", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6"]
    forged += ["X-Forwarded-Host: evil.test", "X-Forwarded-Port: 666", "Forwarded: for=6.6.6.6", "Proxy: http://evil.test"]
    headers = " ".join(f"-H '{header}'" for header in forged)
    told = json.loads(server.sh(f"curl -s -H 'Host: shop.test:8080' {headers} http://127.0.0.1/shop/told"))
    assert not [name for name, value in told.items() if "evil" in value or "666" in value or "6.6.6" in value]
    wanted = {
        "SCRIPT_NAME": "/shop",
        "PATH_INFO": "/told",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "shop.test:8080",
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_FORWARDED_HOST": "shop.test:8080",
    }
    assert {name: told.get(name) for name in wanted} == wanted


@on(13)
def test_gunicorns_come_back_after_whatever_happens(server, hello, neighbour):
    hello = {**hello, **SUPERVISED, "processes": 2, "threads": 4}
    server.converge([hello])
    before = neighbour()
    (master,) = masters(server, "hello")

    # A worker is replaced by its master, a master by supervisord, within a second; its workers end with it.
    server.sh(f"kill -9 $(pgrep -P {master} | head -n 1)")
    server.sh(f"for _ in $(seq 50); do [ $(pgrep -P {master} | wc -l) = 2 ] && exit; sleep 0.1; done; exit 1")
    assert server.get("/").startswith("200 hello|")
    with server.load("/", 4) as fast:
        server.sh(f"kill -9 {master}; sleep 5")
    assert fast["200"] > fast.get("502", 0), fast
    assert len(masters(server, "hello")) == 1
    assert neighbour() == before

    # supervisord: its programs serve on. The next one's take their places, and nobody notices.
    (master,) = masters(server, "hello")
    with server.load("/", 4) as fast, server.load("/slow", 4) as slow:
        server.sh("sleep 1; kill -9 $(systemctl show --property MainPID --value supervisor); sleep 2")
        assert server.sh(f"ps -o comm= -p {master}")
        server.sh("systemctl start supervisor; sleep 5")
    for load in (fast, slow):
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load
    assert len(masters(server, "hello")) == 1
    assert masters(server, "hello") != [master]
    assert gunicorns(server, "hello") == 1
    assert server.converge([hello]).changed == []

    # A rollout while nobody supervises: what still serves is what is live, and its place is taken like any other.
    server.sh("kill -9 $(systemctl show --property MainPID --value supervisor)")
    with server.load("/", 4) as fast, server.load("/slow", 4) as slow:
        server.converge([{**hello, "environment": {"GREETING": "after"}}])
    for load in (fast, slow):
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load
    assert server.get("/").startswith("200 after|")
    assert gunicorns(server, "hello") == 1

    server.reboot()
    server.sh("for _ in $(seq 100); do curl -s http://127.0.0.1/ | grep -q '^after' && exit; sleep 0.1; done; exit 1")
    assert server.converge([{**hello, "environment": {"GREETING": "after"}}]).changed == []


@on(12)
def test_requests_in_flight_end_and_the_last_program_takes_its_service_along(server, code):
    text = HELLO.replace("time.sleep(1.5)", "time.sleep(5)")
    hello = {"name": "hello", "source": code(text), "entry_point": "app:application", **SUPERVISED}
    server.converge([hello])
    server.sh("curl -s -o /root/slow -w '%{http_code}' http://127.0.0.1/slow >/root/code 2>&1 & sleep 1")
    server.converge([{**hello, "environment": {"GREETING": "after"}}])
    server.sh("for _ in $(seq 60); do [ -s /root/code ] && exit; sleep 0.1; done; exit 1")
    assert server.sh("cat /root/code; cat /root/slow").startswith("200hello|")
    assert server.get("/").startswith("200 after|")
    assert server.sh("stat -c '%a %U:%G' /var/log/supervisor/wsgi").split() == ["750", "root:adm"]

    others = server.sh(f"ls {PROGRAMS} | grep -v @hello || true")
    server.converge([{**hello, "stack": "uwsgi"}])
    left = f"find {PROGRAMS} /run/wsgi/hello -name '*@hello*' -o -name '*.[0-9]*.sock' -o -name 'app.http.sock'"
    assert server.sh(left) == ""
    if not others:
        state = "systemctl is-active supervisor; systemctl is-enabled supervisor"
        assert server.sh(f"set +e; {state}", check=False).split() == ["inactive", "disabled"]


@on(12)
def test_an_address_for_the_programs_of_the_host_follows_the_live_release(server, hello):
    hello = {**hello, **SUPERVISED}
    at = "curl -s --max-time 5 http://127.0.0.1:{}/ || true"
    server.converge([{**hello, "bind": "127.0.0.1:8004"}])
    assert server.sh(at.format(8004)).startswith("hello|")
    with server.load(":8004/", 2) as load:
        server.converge([{**hello, "bind": "127.0.0.1:8004", "environment": {"GREETING": "next"}}])
    assert set(load) == {"200"}, load
    assert server.sh(at.format(8004)).startswith("next|")
    server.sh("systemctl is-active wsgi-bind-hello.service wsgi-bind-hello.socket")

    moved = {**hello, "bind": "127.0.0.1:8005", "environment": {"GREETING": "next"}}
    server.converge([moved])
    assert [server.sh(at.format(port))[:4] for port in (8004, 8005)] == ["", "next"]
    assert server.converge([moved]).changed == []
    server.converge([{**moved, "bind": None}])
    assert [server.sh(at.format(port)) for port in (8004, 8005)] == ["", ""]
    assert (
        server.sh("systemctl list-units --all --no-legend 'wsgi-bind-*'; ls /etc/systemd/system | grep wsgi-bind || true") == ""
    )
