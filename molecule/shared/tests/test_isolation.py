# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app is on its host, and what it can not reach."""

from __future__ import annotations

from conftest import APPS, DIRECTORY, NGINX_GROUP, NGINX_USER, RUNTIME_DIRECTORY

CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def connect(host, user: str, socket: str):
    return host.run("runuser -u %s -- python3 -c %s %s", user, CONNECT, socket)


def test_runtime_directory_is_the_gate(host, app):
    directory = host.file(f"{RUNTIME_DIRECTORY}/{app}")
    assert (directory.user, directory.group, oct(directory.mode)) == ("root", NGINX_GROUP, "0o750")


def test_live_socket_leads_to_a_slot(host, app, slot):
    assert slot in ("blue", "green")
    assert host.file(f"{RUNTIME_DIRECTORY}/{app}/{slot}.sock").is_socket


def test_nginx_reaches_the_socket(host, app):
    assert connect(host, NGINX_USER, f"{RUNTIME_DIRECTORY}/{app}/app.sock").rc == 0


def test_nobody_else_reaches_the_socket(host, app, slot):
    for other in {*APPS, "nobody"}:
        for name in ("app", slot):
            assert "PermissionError" in connect(host, other, f"{RUNTIME_DIRECTORY}/{app}/{name}.sock").stderr, other


def test_code_is_not_the_app_s_to_change(host, app):
    writable = 'for path; do if [ -w "$path" ]; then echo "$path"; fi; done'
    directories = [f"{DIRECTORY}/{app}{below}" for below in ("/builds", "/releases", "/current/")]
    find = "cd /; find %s %s %s -not -type l -print0 | runuser -u %s -- xargs -0 sh -c %s sh"
    assert host.check_output(find, *directories, app, writable) == ""


def test_shared_directory_is_the_app_s_to_write(host, app):
    assert host.run("runuser -u %s -- test -w %s", app, f"{DIRECTORY}/{app}/shared").rc == 0


def test_current_release(host, app):
    current = host.file(f"{DIRECTORY}/{app}/current")
    assert current.is_symlink
    assert current.linked_to.rpartition("/")[0] == f"{DIRECTORY}/{app}/releases"
