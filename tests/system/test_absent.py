# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection made for an app goes with the app, and nothing else does."""

from __future__ import annotations

import threading

import pytest
from conftest import HELLO, on

STACKS = ("uwsgi", "uwsgi_emperor", "gunicorn_supervisor")

# Each file with what it is, whose it is and where it leads; users, units and sockets. Not the copies that userdel makes.
EVERYTHING = r"""
find /srv /run/wsgi /etc /var/log/supervisor /var/lib/wsgi /usr/local \
    \( -name '*-' -o -name '*.json' -o -path '*/ssl/certs' \) -prune -o -printf '%p %y %m %u:%g %l\n' | sort
getent passwd; getent group; getent shadow | cut -d : -f 1
systemctl list-units --all --plain --full --no-legend 'wsgi*' 'supervisor*' | sort
systemctl list-unit-files --no-legend 'wsgi*' 'supervisor*' | sort
ss -Hxl | tr -s ' ' | cut -d ' ' -f 5 | grep -e wsgi -e supervisor | sort
"""

# What of a host has to be as before the first deployment: files, users, units, nginx's settings and its default site. Not whether
# supervisor is enabled, which without a program it is not any more.
HOST = r"""
find /srv /etc /run/wsgi* /usr/local /var/lib /var/cache /var/log/supervisor -xdev \
    \( -path '/var/lib/dpkg' -o -path '/var/lib/apt' -o -path '/var/lib/systemd' -o -path '/var/cache/apt' \
       -o -path '/etc/ssl/certs' -o -name '*-' -o -path '/var/cache/private' \
       -o -name 'supervisord.log*' -o -path '/usr/local/lib/python*' \) -prune \
    -o -printf '%p %y %m %u:%g %l\n' 2>/dev/null | grep -v -e '^/etc/rc[0-6S]\.d' -e '\.wants/supervisor\.service' | sort
getent passwd; getent group
systemctl list-units --all --plain --full --no-legend 'wsgi*'
systemctl list-unit-files --no-legend 'wsgi*' || true
md5sum /etc/nginx/nginx.conf
curl --silent --head http://127.0.0.1/ | head -n 1
"""

KILL = """
for _ in $(seq 2400); do
    stop=$(pgrep -f -o '^systemctl stop wsgi-[a-z-]*@victim' || true)
    [ -z "$stop" ] || { kill -9 $(ps -o ppid= -p $stop); exit; }
    sleep 0.05
done
exit 1
"""


def everything(server):
    return server.sh(EVERYTHING).splitlines()


def masters(server, *users):
    return {user: sorted(server.sh(f"pgrep -u {user}").split()) for user in users}


@pytest.fixture
def app(hello):
    def make(name, **more):
        return {**hello, "name": name, "mount": f"/{name}", **more}

    return make


@on(12)
def test_an_app_leaves_a_host_as_it_found_it_on_every_stack(server, app):
    server.need("hey")
    staying = [app(f"stay-{number}", stack=stack) for number, stack in enumerate(STACKS)]
    server.converge(staying)
    before = everything(server)
    users = [each["name"] for each in staying]
    processes = masters(server, *users)

    going = [app(f"go-{number}", stack=stack) for number, stack in enumerate(STACKS)]
    server.converge([*staying, *going])
    assert any("/srv/wsgi/go-1/releases" in line for line in everything(server))
    for number in range(len(STACKS)):
        assert server.get(f"/go-{number}/").startswith("200 ")
    # Of one, nothing but the name is in the list any more.
    absent = [{"name": "go-0", "state": "absent"}, *({**each, "state": "absent"} for each in going[1:])]
    with server.load("/stay-0/", 2) as first, server.load("/stay-1/", 2) as second, server.load("/stay-2/", 2) as third:
        play = server.play([*staying, *absent], "playbooks/site.yml", "--check", "--diff")
        assert play.code == 0, play.output
        assert "-slot wsgi-blue@go-1" in play.output
        assert server.get("/go-1/").startswith("200 ")
        server.converge([*staying, *absent])
    for load in (first, second, third):
        assert set(load) == {"200"}, load
    assert everything(server) == before
    assert masters(server, *users) == processes
    for number in range(len(STACKS)):
        assert not server.get(f"/go-{number}/").startswith("200 ")
    assert server.converge([*staying, *absent]).changed == []


@on(12)
def test_the_apps_own_data_stays_until_it_is_to_go(server, app):
    staying = app("stay")
    server.converge([staying, app("owner")])
    server.sh("echo order >/srv/wsgi/owner/shared/orders; chown owner: /srv/wsgi/owner/shared/orders")
    absent = [staying, {"name": "owner", "state": "absent"}]
    play = server.converge(absent)
    assert "/srv/wsgi/owner/shared is the app's own data, so it is kept, with the user owner" in " ".join(play.output.split())
    assert server.sh("find /srv/wsgi/owner -printf '%P %u\n'").split("\n")[1:-1] == ["shared owner", "shared/orders owner"]
    assert server.converge(absent).changed == []
    # It comes back with what it had.
    server.converge([staying, app("owner")])
    assert server.sh("cat /srv/wsgi/owner/shared/orders") == "order\n"
    server.converge(absent, wsgi_remove_shared=True)
    assert server.sh("ls -d /srv/wsgi/owner 2>/dev/null || true; id -u owner 2>/dev/null || true") == ""


@on(12)
def test_a_dropped_app_is_pruned_when_asked_and_nothing_else(server, app):
    staying = app("stay")
    server.sh("mkdir -p /srv/wsgi/theirs/releases; echo mine >/srv/wsgi/theirs/notes; getent passwd them || useradd them")
    server.converge([staying], wsgi_prune=True)  # what other tests have left
    before = everything(server)
    server.converge([staying, app("dropped")])
    processes = masters(server, "dropped")
    server.converge([staying])
    # Without its site, and yet there.
    assert not server.get("/dropped/").startswith("200 ")
    assert masters(server, "dropped") == processes
    told = server.play([staying], "playbooks/status.yml").output
    assert "\ndropped *" in told
    assert "* is not in wsgi_apps; wsgi_prune: true removes it" in told
    server.converge([staying], wsgi_prune=True)
    assert everything(server) == before
    assert server.converge([staying], wsgi_prune=True).changed == []


@on(12)
def test_a_removal_that_was_killed_is_completed_by_the_next_run(server, app, code):
    staying = app("stay")
    server.converge([staying])
    before = everything(server)
    # It takes its time to end; meanwhile the module that waits for that is killed.
    server.converge([staying, app("victim", source=code(f"{HELLO}\nimport atexit\natexit.register(time.sleep, 3)\n", "late"))])
    killer = threading.Thread(target=server.sh, args=(KILL,))
    killer.start()
    absent = [staying, {"name": "victim", "state": "absent"}]
    play = server.play(absent)
    killer.join()
    assert play.code, play.output
    assert server.sh("ls /srv/wsgi/victim/releases; id -un victim").split() == ["1", "victim"]
    server.converge(absent)
    assert everything(server) == before
    assert server.converge(absent).changed == []


@on(13, "new_server")
def test_an_uninstalled_host_is_as_before_the_first_deployment(new_server, app):
    server = new_server
    before = server.sh(HOST).splitlines()
    assert before[-1].startswith("HTTP/1.1 200")  # Debian's default site
    apps = [app(f"app-{number}", stack=stack) for number, stack in enumerate(STACKS)]
    apps[1].update(domains=["tls.example.com"], tls={"mode": "self_signed"})
    apps[2].update(bind="127.0.0.1:8123")
    server.converge(apps)
    server.sh("echo order >/srv/wsgi/app-0/shared/orders")

    play = server.play(None, "playbooks/uninstall.yml", app="app-1")
    assert play.message.startswith("app: wsgi.stack.uninstall removes every app on a host")
    play = server.play(None, "playbooks/uninstall.yml", "--check", "--diff")
    assert play.code == 0, play.output
    assert "-/usr/local/lib/wsgi" in play.output
    assert server.get("/app-0/").startswith("200 ")

    play = server.play(None, "playbooks/uninstall.yml")
    assert play.code == 0, play.output
    assert "/srv/wsgi/app-0/shared is the app's own data, so it is kept, with the user app-0" in " ".join(play.output.split())
    left = set(server.sh(HOST).splitlines()) - set(before)
    assert sorted(line.split()[0] for line in left if line.startswith("/")) == [
        *("/srv/wsgi", "/srv/wsgi/app-0", "/srv/wsgi/app-0/shared", "/srv/wsgi/app-0/shared/orders")
    ]
    play = server.play(None, "playbooks/uninstall.yml", wsgi_remove_shared=True)
    assert play.code == 0, play.output
    assert server.sh(HOST).splitlines() == before
    assert server.play(None, "playbooks/uninstall.yml").changed == []
