# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases go live without a failed request."""

from __future__ import annotations

import contextlib

import pytest
from conftest import HELLO, on

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._registry import STACKS


@pytest.fixture(scope="module", autouse=True)
def hey(server):
    server.need("hey")


def assert_all_served(*loads):
    for load in loads:
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load


def certificate(server, domain):
    """The fingerprint of the certificate that nginx presents."""
    ask = f"openssl s_client -connect 127.0.0.1:443 -servername {domain} </dev/null 2>/dev/null"
    return server.sh(f"{ask} | openssl x509 -noout -fingerprint -sha256")


@on(13)
@pytest.mark.long
@pytest.mark.smoke
def test_every_kind_of_change_is_a_rollout_without_a_failed_request(server, hello, code):
    """One app of each stack; each change is made to all of them at once."""
    options = {"gunicorn_supervisor": {"max_requests": 500}}  # workers end all the while, each with connections that nginx keeps
    names = {stack: f"on-{stack.replace('_', '-')}" for stack in STACKS}

    def apps(**keys):
        return [
            {
                **hello,
                "name": name,
                "domains": [f"{name}.test"],
                "stack": stack,
                "tls": {"mode": "self_signed", "redirect": False},
                "server_options": options.get(stack, {}),
                **keys,
            }
            for stack, name in names.items()
        ]

    def assert_all_say(greeting):
        pages = {name: server.get("/", f"{name}.test") for name in names.values()}
        assert all(page.startswith(f"200 {greeting}|") for page in pages.values()), pages

    server.sh(f"echo 127.0.0.1 {' '.join(f'{name}.test' for name in names.values())} >>/etc/hosts")
    server.converge(apps())
    changes = [
        ({"environment": {"GREETING": "it's 100% $(HOME) ünï"}}, "it's 100% $(HOME) ünï"),
        ({"environment": {"GREETING": "more"}, "processes": 3}, "more"),
        ({"environment": {"GREETING": "packages"}, "packages": ["tinydb==4.8.2"]}, "packages"),
    ]
    with contextlib.ExitStack() as block:
        loads = [
            block.enter_context(server.load(path, 4, origin=f"http://{name}.test", method="POST"))
            for name in names.values()
            for path in ("/", "/slow")
        ]
        for keys, greeting in changes:
            server.converge(apps(**keys))
            assert_all_say(greeting)
        code(HELLO.replace('"hello"', '"new code"'))
        server.converge(apps())
        assert_all_say("new code")
        for name in names.values():
            back = server.play(apps(), "playbooks/rollback.yml", "-e", f"app={name}")
            assert back.code == 0, back.output
        assert_all_say("packages")
        # The sites, and certificates that are not there any more.
        before = {name: certificate(server, f"{name}.test") for name in names.values()}
        server.sh(f"rm -r {' '.join(f'/etc/ssl/wsgi/{name}' for name in before)}")
        server.converge(apps(nginx_directives=["add_header X-Site changed always;"]))
        assert_all_say("new code")
        for name, old in before.items():
            assert "x-site: changed" in server.sh(f"curl -sI http://{name}.test/").lower()
            assert certificate(server, f"{name}.test") not in ("", old)
    assert_all_served(*loads)
    answered = sum(load["200"] for load in loads)
    print(f"{answered} requests during six changes and a rollback of each of {len(names)} stacks, none failed")


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
