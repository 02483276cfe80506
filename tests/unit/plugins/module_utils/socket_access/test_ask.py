# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to servers on unix sockets, and what comes of them."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _ask


@pytest.fixture
def serve():
    """A server for one connection: it reads what is sent, notes it, and answers with a text or with the end of the connection."""
    listeners, connections, received = [], [], []
    with tempfile.TemporaryDirectory() as directory:  # pytest's own is too long for a socket's path

        def start(answer):
            path = f"{directory}/{len(listeners)}.sock"
            listener = socket.socket(socket.AF_UNIX)
            listeners.append(listener)
            listener.bind(path)
            listener.listen()

            def run():
                connection, _address = listener.accept()
                connections.append(connection)
                received.append(connection.recv(65536))
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()

            threading.Thread(target=run, daemon=True).start()
            return path

        start.connections = connections
        yield start, received
        for each in [*listeners, *connections]:
            each.close()


def question(path, **rest):
    return {"path": path, "protocol": "uwsgi", "uri": "/shop/?a=b", "host": "shop.test", "timeout": 5, **rest}


def variables(packet):
    modifier1, size, modifier2 = struct.unpack("<BHB", packet[:4])
    assert (modifier1, size, modifier2) == (0, len(packet) - 4, 0)
    texts, place = [], 4
    while place < len(packet):
        (length,) = struct.unpack("<H", packet[place : place + 2])
        texts.append(packet[place + 2 : place + 2 + length].decode())
        place += 2 + length
    return dict(zip(texts[::2], texts[1::2]))


def test_a_question_in_the_uwsgi_protocol(serve):
    start, received = serve
    found = _ask.ask(**question(start(b"HTTP/1.1 204 No Content\r\n\r\n")))
    assert found == {"status": 204, "location": "", "sender": os.getpid()}
    asked = variables(received[0])
    assert (asked["PATH_INFO"], asked["QUERY_STRING"], asked["HTTP_HOST"]) == ("/shop/", "a=b", "shop.test")


def test_a_question_in_http(serve):
    start, received = serve
    found = _ask.ask(**question(start(b"HTTP/1.1 503 Busy\r\n\r\nlater"), protocol="http"))
    assert found == {"status": 503, "location": "", "sender": os.getpid()}
    assert received[0].startswith(b"GET /shop/?a=b HTTP/1.1\r\nHost: shop.test\r\n")


@pytest.mark.parametrize(
    ("answer", "timeout", "error"),
    [(b"", 5, "was closed without an answer"), (b"what?", 5, "no HTTP answer over"), (None, 0.2, "no answer over")],
)
def test_what_is_no_answer_is_an_error(serve, answer, timeout, error):
    start, _received = serve
    assert error in _ask.ask(**question(start(answer), timeout=timeout))["error"]


def test_a_socket_that_is_not_there_is_an_error():
    assert _ask.ask(**question("/nowhere.sock")) == {"error": "cannot connect to /nowhere.sock: No such file or directory"}


def test_as_a_program_it_asks_many_at_once(serve):
    start, _received = serve
    questions = [question(start(f"HTTP/1.1 {status} x\r\n\r\n".encode())) for status in (200, 404, 500)]
    done = subprocess.run(
        [sys.executable, "-I", _ask.__file__], input=json.dumps(questions), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [{"status": status, "location": "", "sender": os.getpid()} for status in (200, 404, 500)]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n", "HTTP/1.1 \u00b200 OK\r\n\r\n".encode(), b"HTTP/1.1 20 OK\r\n\r\n"]
)
def test_what_is_no_status_is_no_answer(serve, answer):
    start, _received = serve
    (found,) = _ask.ask_all([question(start(answer))])
    assert "no HTTP answer" in found["error"]


def test_a_byte_now_and_then_does_not_buy_more_time(serve):
    start, _received = serve
    ended = threading.Event()

    path = start(None)
    began = time.monotonic()

    def drip():
        while not ended.wait(0.05):
            for connection in start.connections:
                connection.sendall(b"x")

    threading.Thread(target=drip, daemon=True).start()
    (found,) = _ask.ask_all([question(path, timeout=0.5)])
    ended.set()
    assert time.monotonic() - began < 5
    assert found == {"error": f"no answer over {path} within 0 s"}


@pytest.mark.parametrize(
    ("head", "location"),
    [
        (b"location:  /login?next=s3cret", "/login"),
        (b"X: y\r\nLocation: https://a.test/#x", "https://a.test/"),
        (b"Location: /" + b"x" * 300, "/" + "x" * 199),
        (b"X-Location: /x\r\n\r\nLocation: /body", ""),
    ],
)
def test_where_an_answer_redirects_to(serve, head, location):
    start, _received = serve
    answer = b"HTTP/1.1 302 Found\r\n" + head + b"\r\n\r\nbody"
    assert _ask.ask(**question(start(answer)))["location"] == location


@pytest.mark.parametrize("address", ["django", "localhost:", "localhost:http", "a..b:80"])
def test_an_address_that_is_none_is_an_error(address):
    found = _ask.attempt(address, "http", "/", "localhost", 1)
    assert (found["stage"], found["error"]) == ("connect", "EINVAL")
