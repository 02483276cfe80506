# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app may write to and start, on each stack, and what opens more; and what the host refuses to one app alone."""

from __future__ import annotations

import pytest
from conftest import on

APPS = {"box-uwsgi": "uwsgi", "box-emperor": "uwsgi_emperor", "box-gunicorn": "gunicorn_supervisor"}

CODE = r"""
import subprocess

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    command = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    return [(found.stdout + found.stderr).strip().encode()]
"""

PLACES = "$WSGI_SHARED /data /data/inner /other /etc/open /usr/open /var/open /home/open /tmp /dev/shm"
"""Directories in which every user may create files."""

OWN = {"$WSGI_SHARED", "/tmp", "/dev/shm"}


RESTLESS = "setsid sh -c 'again() { sleep $0; again & exit; }; again' %s <&- >/dev/null 2>&1 &"
"""A daemon that forks and exits all the time, so that it is never older than it sleeps."""

STILL_THERE = "pgrep -f '[a]gain &' || true"


@pytest.fixture(scope="module")
def apps(server, tmp_path_factory):
    """An app under each stack that runs the shell command it is asked for."""
    server.need("hey")
    directory = tmp_path_factory.mktemp("code")
    (directory / "app.py").write_text(CODE)
    common = {"source": {"directory": str(directory)}, "entry_point": "app:application", "processes": 2, "drain_timeout": 3}
    made = [{**common, "name": name, "mount": f"/{name}", "stack": stack} for name, stack in APPS.items()]
    opened = "/other /etc/open /usr/open /var/open /home/open"
    server.sh(f"rm -rf /data {opened}; install -d -m 1777 {opened}; rm -f /tmp/by-box-*")
    server.sh("cd /usr/local/bin; cp /usr/bin/id as-mail; chgrp mail as-mail; chmod 2755 as-mail")
    server.converge(made, wsgi_prune=True, wsgi_remove_shared=True)
    return made


def shell(server, name, command):
    """What an app prints that runs a command."""
    done = server.sh(f'curl --silent --max-time 20 --data-binary "$1" http://127.0.0.1/{name}/', command)
    return done.strip()


def writes(server, name):
    """The directories in which an app can create a file."""
    told = shell(server, name, f"for place in {PLACES}; do touch $place/by-{name} && echo $place; done 2>/dev/null")
    return {"$WSGI_SHARED" if place.endswith("/shared") else place for place in told.split()}


@on(13)
def test_an_app_writes_to_its_own_directories_and_starts_nothing_privileged(server, apps):
    for name in APPS:
        assert writes(server, name) == OWN, name
        assert "mail" not in shell(server, name, "as-mail"), name
    for unit, most in (("wsgi-blue@box-uwsgi.service", 2.0), ("wsgi-emperor.service", 2.8)):
        verdict = server.sh(f"systemd-analyze security --no-pager {unit} | tail -n 1")
        assert float(verdict.split(": ")[1].split()[0]) <= most, verdict


@on(13)
def test_what_the_host_refuses_to_an_app_is_told_of_that_app_alone(server, apps):
    live = server.sh("readlink /run/wsgi/box-uwsgi/app.sock")
    unit = f"wsgi-{'blue' if 'green' in live else 'green'}@box-uwsgi.service"
    server.sh(f"systemctl mask --quiet {unit}; mkdir -p /etc/nginx/wsgi/.box-gunicorn.conf.wsgi-stack.tmp")
    wanted = [{**app, "environment": {"NEW": "yes"}, "nginx_directives": ["add_header X-New yes;"]} for app in apps]
    wanted[1]["writable_paths"] = ["/data"]
    play = server.play(wanted)
    server.sh(f"systemctl unmask --quiet {unit}; rmdir /etc/nginx/wsgi/.box-gunicorn.conf.wsgi-stack.tmp")
    told = sorted(play.message.splitlines())
    assert told[0].startswith("app box-emperor: writable_paths: /data is not a directory on this host"), play.message
    assert told[1].startswith("app box-gunicorn: nginx: /etc/nginx/wsgi/box-gunicorn.conf cannot be written"), play.message
    assert f"Unit {unit} is masked; run systemctl unmask {unit}, then" in told[2], play.message
    assert len(told) == 3
    headers = {name: server.sh(f"curl -s -o /dev/null -D - --data-binary : http://127.0.0.1/{name}/") for name in APPS}
    assert all(" 200 " in text and "X-New" not in text for text in headers.values()), headers
    assert [shell(server, name, "echo $NEW") for name in APPS] == ["", "", "yes"]


@on(13)
def test_what_opens_more_to_an_app(server, apps):
    server.sh("install -d -m 1777 /data /data/inner")
    emperor = server.sh("systemctl show --property MainPID wsgi-emperor")
    wanted = [{**app, "writable_paths": ["/data"], "privileged_programs": app["stack"] != "uwsgi_emperor"} for app in apps]
    for name in APPS:
        shell(server, name, RESTLESS % 1)
        shell(server, name, RESTLESS % 0.002)
        assert server.sh(f"pgrep -u {name} sleep"), name
    with server.load("/box-emperor/", 1) as emperor_load, server.load("/box-gunicorn/", 1) as gunicorn_load:
        server.converge(wanted)
    assert (set(emperor_load), set(gunicorn_load)) == ({"200"}, {"200"}), (emperor_load, gunicorn_load)
    assert server.sh(STILL_THERE) == "", "a daemon has survived its release"
    for app in wanted:
        name, found = app["name"], writes(server, app["name"])
        assert {*OWN, "/data", "/data/inner"} <= found, name
        if app["privileged_programs"]:
            assert "egid=8(mail)" in shell(server, name, "as-mail"), name
            assert not found & {"/etc/open", "/usr/open", "/home/open"}, name
        else:
            assert found == {*OWN, "/data", "/data/inner"}, name
    assert server.sh("systemctl show --property MainPID wsgi-emperor") == emperor
    server.sh("systemctl restart wsgi-emperor")
    assert "/data" in writes(server, "box-emperor")
    assert server.converge(wanted).changed == []


@on(13)
def test_an_app_is_removed_with_what_it_has_left_running(server, apps):
    for name in APPS:
        shell(server, name, RESTLESS % 1)
        shell(server, name, RESTLESS % 0.002)
        assert server.sh(f"pgrep -u {name} sleep"), name
    server.converge([{**app, "state": "absent"} for app in apps], wsgi_remove_shared=True)
    left = server.sh("ls /srv/wsgi; ls -d /etc/systemd/system/wsgi-*.d 2>/dev/null || true; " + STILL_THERE)
    assert left == ""
