# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases go live without a failed request; one that is no good does not go live at all."""

from __future__ import annotations

import pytest
from conftest import HELLO, on

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._registry import STACKS


@pytest.fixture(scope="module", autouse=True)
def hey(server):
    server.need("hey")


def each_stack(smoke):
    """A mark for tests of each stack, on one Debian: what a Debian adds is in the versions of its servers, not in combinations.

    :param smoke: that which ``make smoke`` runs
    """
    pairs = [(12, "uwsgi_emperor"), (13, "uwsgi"), (13, "gunicorn_supervisor")]
    cases = [
        pytest.param(debian, stack, id=f"debian{debian}-{stack}", marks=[pytest.mark.smoke] if stack == smoke else [])
        for debian, stack in pairs
    ]
    return pytest.mark.parametrize(("server", "stack"), cases, indirect=["server"])


def assert_all_served(*loads):
    for load in loads:
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load


def certificate(server):
    """The fingerprint of the certificate that nginx presents."""
    ask = "openssl s_client -connect 127.0.0.1:443 -servername localhost </dev/null 2>/dev/null"
    return server.sh(f"{ask} | openssl x509 -noout -fingerprint -sha256")


@each_stack(smoke="uwsgi")
def test_every_kind_of_change_is_a_rollout_without_a_failed_request(server, stack, hello, code):
    hello.update(stack=stack, tls={"mode": "self_signed", "redirect": False})
    if stack == "gunicorn_supervisor":
        hello["server_options"] = {"max_requests": 500}  # workers end all the while, each with connections that nginx keeps
    server.converge([hello])
    changes = [
        ({**hello, "environment": {"GREETING": "it's 100% $(HOME) ünï"}}, "it's 100% $(HOME) ünï"),
        ({**hello, "environment": {"GREETING": "more"}, "processes": 3}, "more"),
        ({**hello, "environment": {"GREETING": "packages"}, "packages": ["tinydb==4.8.2"]}, "packages"),
    ]
    with server.load("/", 8, method="POST") as fast, server.load("/slow", 4, method="POST") as slow:
        for app, greeting in changes:
            server.converge([app])
            assert server.get("/").startswith(f"200 {greeting}|")
        code(HELLO.replace('"hello"', '"new code"'))
        server.converge([hello])
        assert server.get("/").startswith("200 new code|")
        back = server.play([hello], "playbooks/rollback.yml", "-e", "app=hello")
        assert back.code == 0, back.output
        assert server.get("/").startswith("200 packages|")
        # The site, and a certificate that is not there any more.
        before = certificate(server)
        server.sh("rm -r /etc/ssl/wsgi/hello")
        server.converge([{**hello, "nginx_directives": ["add_header X-Site changed always;"]}])
        assert "x-site: changed" in server.sh("curl -sI http://127.0.0.1/").lower()
        assert server.get("/").startswith("200 new code|")
        assert certificate(server) not in ("", before)
    assert_all_served(fast, slow)
    print(f"{stack}: {fast['200']} requests and {slow['200']} of 1.5 s during six changes and a rollback, none failed")


# What is wrong with a release: its code, its keys, and what is said about it; by stack, in the order of STACKS, if that differs.
BROKEN = {
    "import": (
        "import flask_that_is_not_there\n",
        {},
        "import: entry_point app:application cannot be imported: ModuleNotFoundError: No module named",
    ),
    "callable": (
        "x = 1\n",
        {},
        "import: entry_point app:application cannot be imported: AttributeError: module 'app' has no attribute 'application'",
    ),
    "variable": (
        "import os\nos.environ['TOKEN_X']\n" + HELLO,
        {},
        "import: entry_point app:application cannot be imported: KeyError: 'TOKEN_X'",
    ),
    "requirement": (HELLO, {"packages": ["tinydb==999"]}, "install: "),
    "command": (
        HELLO + "\n",
        {"release_commands": ["echo no such table; exit 3"]},
        "release_commands: echo no such table; exit 3 ended with exit code 3: no such table",
    ),
    "status": (
        "def application(environ, start_response):\n    start_response('500 Oops', [])\n    return [b'Oops']\n",
        {"health_check": {"timeout": 3}},
        "failed its health check: GET /status/ returned 500 instead of 200 (after 3 s)",
    ),
    "redirect": (
        "def application(environ, respond):\n    respond('302 Found', [('Location', '/login?next=s3')])\n    return []\n",
        {},
        "failed its health check: GET /redirect/ returned 302 to /login instead of 200; set health_check.path to a page that",
    ),
    "raise": (
        "def application(environ, start_response):\n    raise RuntimeError('no such table')\n",
        {"health_check": {"timeout": 3}},
        "GET /raise/ returned 500 instead of 200 (after 3 s); its log says: RuntimeError: no such table",
    ),
    "hang": (
        "import sys, time\nif {'uwsgi', 'gunicorn'} & {*sys.modules}:\n    time.sleep(600)\n" + HELLO,
        {"health_check": {"timeout": 3}},
        # The first request starts a vassal, and gunicorn loads the app in its workers.
        ("was not ready within 3 s (health_check.timeout)", *["failed its health check: no answer over /run/wsgi/hang/"] * 2),
    ),
    "end": (
        "import sys\nif {'uwsgi', 'gunicorn'} & {*sys.modules}:\n    raise RuntimeError('no database')\n" + HELLO,
        {},
        "did not start: its server exited; its log says: RuntimeError: no database",
    ),
    "option": (
        HELLO,
        {"server_options": {"proceses": 3}},
        (
            *["unknown config directive: proceses; correct proceses in server_options; if a plugin has that option, set need-"]
            * 2,
            "its server exited; its log says: server_options.proceses: gunicorn ",
        ),
    ),
    "python": (HELLO, {"python": "/bin/false"}, "python: "),
    "nginx": (
        HELLO,
        {"nginx_directives": ["proxy_pas nowhere;"]},
        'nginx: unknown directive "proxy_pas" in /etc/nginx/wsgi/nginx-app.conf:',
    ),
}


@each_stack(smoke="gunicorn_supervisor")
def test_bad_releases_harm_nobody_and_the_next_good_ones_go_out(server, stack, hello, code):
    """Every kind of bad release at once, each of an app of its own, beside an app with a change that is good."""
    hello["stack"] = stack
    names = {kind: "nginx-app" if kind == "nginx" else kind for kind in BROKEN}
    good = {
        name: {**hello, "name": name, "mount": f"/{name}", "source": code(HELLO, name), "processes": 1} for name in names.values()
    }
    neighbour = {**hello, "name": "neighbour", "source": code(HELLO, "neighbour"), "mount": "/neighbour"}
    server.converge([*good.values(), neighbour])
    before = {name: server.get(f"/{name}/") for name in good}
    assert all(page.startswith("200 hello|") for page in before.values()), before

    with server.load("/end/", 2) as load:
        bad = []
        for kind, (text, keys, _told) in BROKEN.items():
            code(text, names[kind])
            bad.append({**good[names[kind]], **keys})
        play = server.play([*bad, {**neighbour, "environment": {"GREETING": "changed"}}])

    assert play.code, play.output
    told = play.message.splitlines()
    assert len(told) == len(BROKEN), play.message
    for kind, (_text, _keys, sentence) in BROKEN.items():
        (line,) = [line for line in told if line.startswith(f"app {names[kind]}: ")]
        assert (sentence if isinstance(sentence, str) else sentence[[*STACKS].index(stack)]) in line, line
    assert_all_served(load)
    # The app that only broke nginx went out; its old site, and all else, serve as before.
    after = {name: server.get(f"/{name}/") for name in good if name != "nginx-app"}
    assert after == {name: before[name] for name in after}
    assert server.get("/nginx-app/").startswith("200 hello|")
    assert server.get("/neighbour/").startswith("200 changed|")

    for name in good:
        code(HELLO.replace('"hello"', '"good again"'), name)
    server.converge([*good.values(), neighbour])
    assert all(server.get(f"/{name}/").startswith("200 good again|") for name in good)


# What can happen to a host between two runs, each to an app of its own.
DAMAGE = {
    "link": "rm /run/wsgi/link/app.sock",
    "mode": "chmod 0600 /run/wsgi/mode/*.sock",
    "gate": "chmod 0700 /run/wsgi/gate",
    "stopped": "systemctl stop 'wsgi-*@stopped.service'",
    "record": "rm /etc/tmpfiles.d/wsgi-live-record.conf /srv/wsgi/record/current",
    "disabled": "systemctl disable --quiet wsgi-blue@disabled wsgi-green@disabled",
    "site": "rm /etc/nginx/sites-enabled/site.conf",
}


@on(12)
def test_what_was_damaged_comes_back(server, hello):
    apps = [{**hello, "name": name, "domains": [f"{name}.test"], "processes": 1} for name in DAMAGE]
    server.converge(apps)
    for damage in DAMAGE.values():
        server.sh(damage)
    server.sh("systemctl stop nginx")
    server.converge(apps)
    assert {name: server.get("/", f"{name}.test")[:10] for name in DAMAGE} == dict.fromkeys(DAMAGE, "200 hello|")
    assert server.converge(apps).changed == []


def test_what_is_live_is_live_after_a_reboot(server, hello):
    app = {**hello, "environment": {"GREETING": "before the reboot"}}
    server.converge([app])
    before = server.get("/")
    server.reboot()
    assert server.get("/") == before
    assert server.converge([app]).changed == []


@on(13)
def test_an_app_is_back_after_its_processes_were_killed(server, hello):
    server.converge([hello])
    sockets = "systemctl show -P InvocationID wsgi-blue@hello.socket wsgi-green@hello.socket"
    before = server.sh(sockets)
    for victim in ["$(pgrep -u hello -n)", "$(systemctl show -P MainPID wsgi-blue@hello wsgi-green@hello | grep -vxE '0?')"]:
        server.sh(f"kill -9 {victim}")
        server.sh("for _ in $(seq 100); do curl -sf -o /dev/null http://127.0.0.1/ && exit; sleep 0.1; done; exit 1")
    assert server.sh(sockets) == before, "the queue was closed"


@on(13)
def test_a_release_that_the_running_nginx_cannot_reach_does_not_go_live(server, hello):
    """The user that nginx runs as could, but its workers have another view of the file system."""
    server.converge([hello])
    before = server.sh("readlink /srv/wsgi/hello/current")
    drop_in = "/etc/systemd/system/nginx.service.d"
    server.sh(f"mkdir {drop_in}; printf '[Service]\\nInaccessiblePaths=/run/wsgi/hello\\n' >{drop_in}/hidden.conf")
    server.sh("systemctl daemon-reload; systemctl restart nginx")
    play = server.play([{**hello, "environment": {"GREETING": "changed"}, "health_check": {"timeout": 4}}])
    server.sh(f"rm -r {drop_in}; systemctl daemon-reload; systemctl restart nginx")
    assert play.code
    assert "nginx, running as www-data (groups www-data) has a private /run/wsgi/hello" in play.message
    assert server.sh("readlink /srv/wsgi/hello/current") == before
    assert server.get("/").startswith("200 hello|")
    server.converge([{**hello, "environment": {"GREETING": "changed"}}])
    assert server.get("/").startswith("200 changed|")


@on(13)
def test_an_app_that_fails_while_it_moves_keeps_its_place_and_only_who_wants_that_waits(server, hello, code):
    def app(name, mount):
        return {**hello, "name": name, "source": code(HELLO, name), "domains": ["moves.test"], "mount": mount}

    server.converge([app("first", "/"), app("third", "/third")])
    moved = [app("first", "/first"), app("second", "/"), app("third", "/moved")]
    code("import nothing_of_this_name\n", "first")
    play = server.play(moved)
    assert play.code != 0
    assert "app first: import: " in play.message
    assert "app second: nginx: mount: / on moves.test is already used by app first, which keeps its site, since " in play.message
    assert "app third: " not in play.message
    # Something of the second app's own release is in place, so the next run only has to change the sites.
    assert server.get("/", "moves.test") == "200 hello|1||/"
    assert server.get("/moved/", "moves.test") == "200 hello|2|/moved|/"
    assert server.get("/third/", "moves.test") == "200 hello|1||/third/"
    code(HELLO, "first")
    server.converge(moved)
    assert server.get("/", "moves.test") == "200 hello|1||/"
    assert server.get("/first/", "moves.test") == "200 hello|2|/first|/"
    assert server.converge(moved).changed == []
