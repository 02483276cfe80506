# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app is on its host, and what it can not reach."""

from __future__ import annotations

from conftest import APPS

CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def connect(host, user: str, socket: str):
    return host.run("runuser -u %s -- python3 -c %s %s", user, CONNECT, socket)


def test_runtime_directory_is_the_gate(host, app):
    directory = host.file(f"/run/wsgi/{app}")
    assert (directory.user, directory.group, oct(directory.mode)) == (app, "www-data", "0o750")


def test_live_socket_leads_to_a_slot(host, app, slot):
    assert slot in ("blue", "green")
    assert host.file(f"/run/wsgi/{app}/{slot}.sock").is_socket


def test_live_slot_is_a_unit_and_the_idle_one_is_not(host, app, slot):
    live = host.service(f"wsgi-{slot}@{app}.service")
    idle = host.service(f"wsgi-{'green' if slot == 'blue' else 'blue'}@{app}.service")
    assert live.is_running
    assert live.is_enabled
    assert not idle.is_running
    assert not idle.is_enabled


def test_processes_are_the_app_s_user_s(host, app, slot):
    pid = host.check_output("systemctl show --property MainPID --value wsgi-%s@%s.service", slot, app)
    users = host.check_output("ps -o user:32= --pid %s --ppid %s", pid, pid).split()
    assert len(users) > 1
    assert set(users) == {app}


def test_nginx_reaches_the_socket(host, app):
    assert connect(host, "www-data", f"/run/wsgi/{app}/app.sock").rc == 0


def test_nobody_else_reaches_the_socket(host, app, slot):
    for other in {*APPS, "nobody"} - {app}:
        for name in ("app", slot):
            assert "PermissionError" in connect(host, other, f"/run/wsgi/{app}/{name}.sock").stderr, other


def test_code_is_not_the_app_s_to_change(host, app):
    writable = "runuser -u %s -- env --chdir / find %s %s %s -writable -not -type l"
    directories = [f"/srv/wsgi/{app}{below}" for below in ("/builds", "/releases", "/current/")]
    assert host.check_output(writable, app, *directories) == ""


def test_shared_directory_is_the_app_s_to_write(host, app):
    assert host.run("runuser -u %s -- test -w %s", app, f"/srv/wsgi/{app}/shared").rc == 0


def test_current_release(host, app):
    current = host.file(f"/srv/wsgi/{app}/current")
    assert current.is_symlink
    assert current.linked_to.rpartition("/")[0] == f"/srv/wsgi/{app}/releases"


def test_environment_is_secret(host):
    environment = host.file("/srv/wsgi/guestbook/current/run")
    assert "a key that only its app may read" in environment.content_string
    assert environment.mode & 0o007 == 0
    readers = [
        user for user in (*APPS, "www-data", "nobody") if host.run("runuser -u %s -- cat %s", user, environment.path).rc == 0
    ]
    assert readers == ["guestbook"]
