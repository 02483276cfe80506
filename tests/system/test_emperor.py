# SPDX-License-Identifier: GPL-3.0-or-later
"""The same releases, run by one uWSGI Emperor, and the way there and back."""

from __future__ import annotations

import pytest
from conftest import HELLO, on

EMPEROR = {"stack": "uwsgi_emperor"}
LINKS = "/etc/uwsgi/apps-enabled"

# A vassal that somebody put there by hand.
FOREIGN = """[uwsgi]
plugin = python3
http-socket = 127.0.0.1:8765
eval = application = lambda environ, start: (start("200 OK", []), [b"foreign"])[1]
"""


@pytest.fixture(scope="module", autouse=True)
def hey(server):
    server.need("hey")


def reigned(server, app):
    """The files, links, units and processes that the Emperor and systemd have for an app, as two counts of each."""
    emperor = server.sh(f"find /etc/uwsgi -name '*@{app}.ini' | wc -l; pgrep -cf 'ini /srv/wsgi/{app}/' || true").split()
    units = server.sh(
        f"systemctl list-units --state active --no-legend 'wsgi-*@{app}.service' | wc -l;"
        f" find /etc/systemd/system/*.wants -name 'wsgi-*@{app}.service' | wc -l"
    ).split()
    return [int(number) for number in [*emperor, *units]]


def masters(server, app):
    """The ids of the app's processes that are the parents of others of them."""
    found = [line.split() for line in server.sh(f"ps -u {app} -o pid=,ppid=").splitlines()]
    ids = {pid for pid, _parent in found}
    return sorted({parent for _pid, parent in found} & ids)


def await_page(server, start, path="/"):
    server.sh(f"for _ in $(seq 150); do curl -s http://127.0.0.1{path} | grep -q '^{start}' && exit; sleep 0.1; done; exit 1")


@pytest.mark.smoke
@on(13)
def test_an_app_moves_between_the_stacks_without_a_failed_request(server, hello):
    neighbour = {**hello, "name": "neighbour", "mount": "/neighbour", **EMPEROR}
    server.sh("getent group helpers || groupadd helpers")
    server.converge([{**hello, **EMPEROR}, neighbour])
    server.sh(
        f"printf '{FOREIGN}' >/etc/uwsgi/apps-available/foreign.ini; chown games:games /etc/uwsgi/apps-available/foreign.ini"
    )
    server.sh(
        f"echo nonsense >{LINKS}/broken.ini; chown games:games {LINKS}/broken.ini; ln -s ../apps-available/foreign.ini {LINKS}/"
    )
    server.sh("for _ in $(seq 50); do curl -sf -o /dev/null http://127.0.0.1:8765/ && exit; sleep 0.2; done; exit 1")
    foreign = server.sh(
        f"stat -c '%n %Y %U' {LINKS}/* /etc/uwsgi/apps-available/foreign.ini | grep -v @; pgrep -u games -f foreign.ini -o"
    )

    with server.load("/", 4) as fast, server.load("/slow", 4) as slow:
        server.converge([hello, neighbour])
        files, processes, active, enabled = reigned(server, "hello")
        assert (files, processes > 1, active, enabled) == (0, True, 1, 1)
        server.sh("usermod --append --groups helpers hello")
        server.converge([{**hello, **EMPEROR}, neighbour])
        files, processes, active, enabled = reigned(server, "hello")
        assert (files, processes > 1, active, enabled) == (2, True, 0, 0)
        # An upgrade of uWSGI: the same release again, in a new process.
        before = masters(server, "hello")
        server.sh("cp -a /usr/bin/uwsgi-core /usr/bin/uwsgi-core.new; mv /usr/bin/uwsgi-core.new /usr/bin/uwsgi-core")
        play = server.converge([{**hello, **EMPEROR}, neighbour], "--diff")
        assert "but was started before /usr/bin/uwsgi-core was replaced" in play.output
        assert len({*before, *masters(server, "hello")}) == 2
    for load in (fast, slow):
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load
    assert server.get("/").startswith("200 hello|")
    assert server.converge([{**hello, **EMPEROR}, neighbour]).changed == []

    # As a unit would run it: the app's user with all of its groups, and no capability, the Emperor's own least of all.
    status = server.sh(f"grep -hE '^(Groups|CapPrm|CapAmb|NoNewPrivs)' /proc/{masters(server, 'hello')[0]}/status").split("\n")
    groups = next(line for line in status if line.startswith("Groups")).split()[1:]
    assert set(groups) == set(server.sh("id -G hello").split())
    assert [line.split()[1].strip("0") for line in status if line and not line.startswith("Groups")] == ["", "", "1"]
    # Each has a log of its own.
    assert "hello" not in server.sh("journalctl -o cat SYSLOG_IDENTIFIER=wsgi-blue@neighbour | grep -F /srv/wsgi/ | head -n 20")
    now = server.sh(
        f"stat -c '%n %Y %U' {LINKS}/* /etc/uwsgi/apps-available/foreign.ini | grep -v @; pgrep -u games -f foreign.ini -o"
    )
    assert now == foreign
    server.sh(f"rm {LINKS}/foreign.ini {LINKS}/broken.ini /etc/uwsgi/apps-available/foreign.ini")


@on(13)
def test_the_emperors_apps_come_back_after_whatever_happens(server, hello, code):
    app = {**hello, **EMPEROR, "drain_timeout": 1}
    server.converge([app])
    emperor = "systemctl show -P MainPID wsgi-emperor"
    for victim in ("pgrep -u hello -n", "pgrep -u hello -o", emperor):
        server.sh(f"kill -9 $({victim})")
        await_page(server, "hello")
        assert len(masters(server, "hello")) == 1

    server.sh(f"systemctl disable --now --quiet wsgi-emperor; rm {LINKS}/wsgi-*@hello.ini")
    server.converge([app])
    assert server.get("/").startswith("200 hello|")
    # A master that hears nothing any more is killed with its workers when its time is over.
    server.sh(f"kill -STOP {masters(server, 'hello')[0]}")
    code(HELLO.replace('"hello"', '"new code"'))
    server.converge([app])
    assert server.get("/").startswith("200 new code|")
    assert len(masters(server, "hello")) == 1
    assert server.converge([app]).changed == []

    server.reboot()
    await_page(server, "new code")
    assert server.converge([app]).changed == []


@on(12)
def test_an_emperor_is_refused_beside_the_distributions_own(server, hello):
    app = {**hello, **EMPEROR}
    server.converge([app])
    before = server.get("/")
    # Its init script runs whatever is in the directory, ours too, and some of that stays when the service has failed.
    server.sh("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 0755 /usr/sbin/policy-rc.d")
    server.need("uwsgi")
    server.sh("rm /usr/sbin/policy-rc.d; systemctl start uwsgi || true; systemctl disable --quiet uwsgi")
    play = server.play([{**app, "environment": {"GREETING": "changed"}}])
    assert play.code, play.output
    fix = "systemctl disable uwsgi; systemctl stop uwsgi; systemctl kill --signal KILL uwsgi"
    sentence = "uwsgi.service also runs the files in /etc/uwsgi/apps-enabled; only one service may."
    assert f"app hello: emperor: {sentence} Stop it ({fix}), or choose the stack uwsgi." in play.message
    assert server.get("/") == before
    # The last command fails if the one before it has left no process.
    server.sh(f"{{ {fix}; }} 2>/dev/null || true; apt-get purge -qq -y uwsgi >/dev/null 2>&1")
    # One that only has its name, as a service that somebody made for an app of theirs, is in nobody's way.
    server.sh("systemctl reset-failed uwsgi 2>/dev/null || true; systemd-run --quiet --unit uwsgi sleep 600")
    server.converge([{**app, "environment": {"GREETING": "changed"}}])
    assert server.get("/").startswith("200 changed|")
    server.sh("systemctl stop uwsgi")
    # The last one that goes takes the Emperor with it.
    server.sh(f"find {LINKS} -name '*.ini' ! -name '*@hello.ini' -delete")
    server.converge([hello])
    assert server.sh("systemctl is-active wsgi-emperor || true").strip() == "inactive"
    assert server.sh("find /etc/systemd/system /etc/uwsgi -name 'wsgi-emperor*' 2>/dev/null || true") == ""
