# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets looked at and tried, from one end to the other."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _identity, _owner
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Evidence, Target

CONFIGURATION = """\
# configuration file /etc/nginx/nginx.conf:
http {
    upstream both { server unix:/run/a.sock; server 127.0.0.1:8000; }
    server {
        server_name .shop.test shop.test;
        location /api/ { proxy_pass http://both; }
        location / { uwsgi_pass unix:/run/b.sock; }
        location /again { uwsgi_pass unix:/run/b.sock; }
        location /any { proxy_pass http://$backend; }
        location /tls { proxy_pass https://127.0.0.1:8443; }
    }
}
"""


@pytest.fixture
def directory():
    with tempfile.TemporaryDirectory() as found:  # pytest's own is too long for a socket's path
        yield os.path.realpath(found)


@pytest.fixture(autouse=True)
def no_other_host(monkeypatch):
    """Units, programs and listening sockets of the machine that the tests run on are none of theirs."""
    monkeypatch.setattr(_owner, "owner", lambda path, server, host: None)
    monkeypatch.setattr(_examine._catalog, "read", HostCatalog)
    monkeypatch.setattr(_examine._sockets, "listeners", list)


@pytest.fixture
def serve(directory):
    """A server on a socket that says the same to everybody who sends something."""
    listeners = []

    def start(answer, name="app.sock"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{directory}/{name}")
        listener.listen()
        listeners.append(listener)

        def run():
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    if answer is None:
                        time.sleep(5)
                    else:
                        connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"unix:{directory}/{name}"

    yield start
    for listener in listeners:
        listener.close()


def examined(*targets, **rest):
    found = _examine.examine(targets, _identity.of_process(os.getpid()), **rest)
    return [(access.code, access.status) for access in found]


def test_sockets_are_tried_for_real(serve, directory):
    fine = serve(b"HTTP/1.1 204 No Content\r\n\r\n")
    broken = serve(b"HTTP/1.1 500 Oops\r\n\r\n", "broken.sock")
    with open(f"{directory}/file", "w"):
        pass
    os.symlink("gone", f"{directory}/link")
    wanted = [
        Target(fine, "uwsgi"),
        (broken, "http", "/", "h", ()),
        Target(f"unix:{directory}/gone"),
        Target(f"unix:{directory}/file"),
        Target(f"unix:{directory}/link"),
        Target("127.0.0.1:1", "http"),
    ]
    codes = [
        ("ok", 204),
        ("bad_status", 500),
        ("missing", None),
        ("not_a_socket", None),
        ("dangling_link", None),
        ("refused", None),
    ]
    assert examined(*wanted) == codes


def test_a_server_that_says_nothing_takes_no_longer_than_its_time(serve):
    silent = serve(None)
    began = time.monotonic()
    assert examined(Target(silent, "http"), timeout=1) == [("no_answer", None)]
    assert time.monotonic() - began < 1 + _examine.MARGIN


def test_nothing_to_look_at_takes_no_identity():
    assert _examine.examine([]) == []


def test_every_place_where_nginx_passes_requests_on_is_named_once(monkeypatch):
    monkeypatch.setattr(_examine._dump, "dump", lambda: CONFIGURATION)
    assert [(target.address, target.protocol, target.uri, target.host) for target in _examine.upstreams()] == [
        ("unix:/run/a.sock", "http", "/api/", "shop.test"),
        ("127.0.0.1:8000", "http", "/api/", "shop.test"),
        ("unix:/run/b.sock", "uwsgi", "/", "shop.test"),
        ("127.0.0.1:8443", "tls", "/tls", "shop.test"),
    ]
    assert _examine.upstreams()[2].named_in == "/etc/nginx/nginx.conf:6"


def test_what_the_program_said_is_read_though_it_was_killed():
    seen = _examine._parsed(
        '{"entered": ""}\n{"number": 0, "walk": [1]}\nnoise\n{"became": "no"}\n{"number": 0, "attempts": {"http"'
    )
    assert (seen.entered, seen.became, seen.walks, seen.attempts) == ("", "no", {0: [1]}, {})


def test_a_socket_that_nginx_does_not_name_may_be_the_one_that_is_meant(serve, directory):
    serve(b"", "shop.sock")
    listening = [Listener("unix:shop.sock", 0, 1), Listener(f"unix:{directory}/far-away-from-it", 0, 1)]
    found = f"unix:{directory}/shop.sock"
    assert _examine._alike(f"{directory}/shops.sock", listening, set()) == (found, True)
    assert _examine._alike(f"{directory}/shops.sock", listening, {found}) == ("", False)
    assert _examine._alike("/elsewhere/shops.sock", listening, set()) == ("", False)


def test_a_server_may_know_its_socket_by_any_name_on_the_way():
    identity = _identity.of_process(os.getpid())
    steps = (
        {"path": "/run/l", "kind": "link", "target": "app/l2"},
        {"path": "/run/app/l2", "kind": "link", "target": "/srv/x.sock"},
        {"path": "/srv/x.sock", "error": "ENOENT", "last": True},
    )
    seen = Evidence(Target("unix:/run/l"), identity, identity, outside=steps)
    assert _examine._places(seen) == ["/srv/x.sock", "/run/app/l2", "/run/l"]


def test_a_directory_that_is_missing_on_the_way_is_no_name_of_a_socket():
    identity = _identity.of_process(os.getpid())
    steps = ({"path": "/srv", "kind": "directory", "last": False}, {"path": "/srv/app", "error": "ENOENT", "last": False})
    seen = Evidence(Target("unix:/srv/app/x.sock"), identity, identity, outside=steps)
    assert _examine._places(seen) == ["/srv/app/x.sock"]


@pytest.mark.parametrize(
    ("protocol", "tried"),
    [("uwsgi", ["uwsgi", "http"]), ("http", ["http", "uwsgi"]), ("auto", ["http", "uwsgi"]), ("fastcgi", []), ("tls", [])],
)
def test_the_likelier_protocol_is_tried_first(protocol, tried):
    assert _examine._protocols(Target("unix:/run/a.sock", protocol), []) == tried


def test_the_only_socket_in_a_directory_of_its_own_is_the_one_that_is_meant(serve, directory, monkeypatch):
    serve(b"", "server-of-the-app-in-this-directory")
    listening = [Listener(f"unix:{directory}/server-of-the-app-in-this-directory", 0, 1)]
    found = f"unix:{directory}/server-of-the-app-in-this-directory"
    assert _examine._alike(f"{directory}/path.sock", listening, set()) == (found, True)
    monkeypatch.setattr(_examine, "SHARED", (str(directory),))
    assert _examine._alike(f"{directory}/path.sock", listening, set()) == ("", False)


def test_one_of_several_sockets_is_not_surely_the_one_that_is_meant(serve, directory):
    serve(b"", "shop-staging.sock")
    serve(b"", "blog.sock")
    listening = [Listener(f"unix:{directory}/{name}.sock", 0, 1) for name in ("shop-staging", "blog")]
    assert _examine._alike(f"{directory}/shop.sock", listening, set())[1] is False
