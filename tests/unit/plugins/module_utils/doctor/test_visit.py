# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import threading
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _visit
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer, Visit


class Server:
    """A server that sends some bytes to whoever connects, and notes what it was sent."""

    def __init__(self, answer=b"", hang=False):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.got = b""
        self.answer, self.end = answer, threading.Event()
        threading.Thread(target=self.serve, args=(hang,), daemon=True).start()

    def serve(self, hang):
        connection, _peer = self.listening.accept()
        with connection:
            while b"\r\n\r\n" not in self.got and not self.got.startswith(b"\x16"):  # the first byte of TLS
                self.got += connection.recv(4096)
            connection.sendall(self.answer)
            if hang:
                self.end.wait(10)

    def close(self):
        self.end.set()
        self.listening.close()


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **options):
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_a_request_is_that_of_a_visitor(serve):
    server = serve(b"HTTP/1.1 301 Moved\r\nServer: nginx\r\nlocation:  https://a.test/ \r\n\r\nbody")
    visit = Visit("127.0.0.1", server.port, "a.test", "/x", proxied=True, headers=(("X-A", "b"),))
    assert _visit.ask(visit, 5) == Answer(301, "https://a.test/", "body")
    lines = server.got.decode().split("\r\n")
    assert lines[:3] == ["PROXY UNKNOWN", "GET /x HTTP/1.1", f"Host: a.test:{server.port}"]
    assert {"X-A: b", "Connection: close"} <= set(lines)


@pytest.mark.parametrize(
    ("received", "status", "error"),
    [
        (b"", 0, "EOF"),
        (b"\x00\xffgarbage", 0, "EPROTO"),
        (b"HTTP/1.1 2000 x", 0, "EPROTO"),
        (b"HTTP/1.1 200", 200, ""),
        (b"HTTP/2 404 \r\n", 404, ""),
    ],
)
def test_an_answer_may_be_anything(received, status, error):
    found = _visit.parsed(received)
    assert (found.status, found.error) == (status, error)


def test_what_is_kept_of_an_answer_is_bounded(serve):
    found = _visit.parsed(b"HTTP/1.1 200 OK\r\nLocation: " + b"\xff" * 9000 + b"\r\n\r\n" + b"\xfe" * 9000)
    assert (len(found.location), len(found.body)) == (_visit.KEPT, _visit.KEPT)
    server = serve(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3 * _visit.ANSWER_BYTES)
    assert _visit.ask(Visit("127.0.0.1", server.port, "a.test"), 5).status == 200


def test_nobody_is_waited_for_longer_than_that(serve):
    begun, silent = serve(b"HTTP/1.1 200 OK\r\n", hang=True), serve(hang=True)
    began = time.monotonic()
    assert _visit.ask(Visit("127.0.0.1", begun.port, "a.test"), 0.3).status == 200
    assert _visit.ask(Visit("127.0.0.1", silent.port, "a.test"), 0.3).error == "ETIMEDOUT"
    assert time.monotonic() - began < 5


def test_a_port_without_tls_and_one_without_a_server(serve):
    plain = serve(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert _visit.ask(Visit("127.0.0.1", plain.port, "a.test", tls=True), 5).error == "TLS"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert _visit.ask(Visit("127.0.0.1", port, "a.test"), 5).error == "ECONNREFUSED"


@pytest.mark.parametrize(
    ("visit", "url", "where"),
    [
        (Visit("127.0.0.1", 80, "a.test", "/x"), "http://a.test/x", "127.0.0.1:80"),
        (Visit("::1", 443, "a.test", tls=True), "https://a.test/", "[::1]:443"),
        (Visit("::1", 80, "a.test", tls=True), "https://a.test:80/", "[::1]:80"),
    ],
)
def test_how_a_visit_is_written(visit, url, where):
    assert (visit.url, visit.where) == (url, where)


def test_cookies_are_kept_as_far_as_they_are_cookies():
    lines = ["Set-Cookie: a=b; Path=/", "set-cookie:c=", "Set-Cookie: d=\x1be", "Set-Cookie: =f", "X-Set-Cookie: g=h"]
    found = _visit.parsed("\r\n".join(["HTTP/1.1 302 Found", *lines, "", ""]).encode())
    assert found.cookies == (("a", "b"), ("c", ""), ("d", ""))
