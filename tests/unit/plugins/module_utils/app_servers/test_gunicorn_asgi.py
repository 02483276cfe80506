# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ASGI application gets behind nginx."""

from __future__ import annotations

import asyncio
import types

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn_asgi

EVENTS = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/event-stream; charset=utf-8")]}
PAGE = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}

LAST = (b"connection", b"close")


class Socket:
    """A websocket as gunicorn has it: notes what is sent."""

    def __init__(self):
        self.sent = []

    async def send(self, message):
        self.sent.append(message)

    async def _send_frame(self, opcode, payload):
        self.sent.append((opcode, payload))


@pytest.mark.parametrize(
    ("kind", "headers", "wanted"),
    [
        ("http", [], {"client": ("127.0.0.1", 0), "scheme": "http"}),
        ("http", [(b"x-real-ip", b"192.0.2.1")], {"client": ("192.0.2.1", 0), "scheme": "http"}),
        ("http", [(b"x-forwarded-proto", b"https")], {"scheme": "https"}),
        ("ws", [(b"x-forwarded-proto", b"https")], {"scheme": "wss"}),
        ("ws", [(b"x-forwarded-proto", b"http")], {"scheme": "ws"}),
    ],
)
def test_a_request_is_as_the_visitor_made_it(kind, headers, wanted):
    found = _gunicorn_asgi.as_visited({"scheme": kind, "client": None, "headers": headers}, "/shop")
    assert found["root_path"] == "/shop"
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("headers", [[], [(b"Connection", b"keep-alive")], [(b"connection", b"close")]])
def test_a_response_is_the_last_one_of_its_connection(headers):
    start = {**PAGE, "headers": [*PAGE["headers"], *headers]}
    found = _gunicorn_asgi.last_of_its_connection(start)
    assert found == {**PAGE, "headers": [*PAGE["headers"], LAST]}


@pytest.fixture
def run(monkeypatch):
    """Runs an application until it ends, or its worker is told to end, and returns what was sent."""
    monkeypatch.setattr(_gunicorn_asgi, "LOOK", 0.01)

    def run(application, kind, seconds=60.0):
        socket, worker = Socket(), types.SimpleNamespace(alive=True)

        async def serve():
            adapted = _gunicorn_asgi.adapted(application)
            adapted.worker = worker
            scope = {"type": kind, "scheme": "http", "headers": []}
            call = asyncio.ensure_future(adapted(scope, None, socket.send))
            asyncio.get_running_loop().call_later(seconds, setattr, worker, "alive", False)
            await asyncio.wait({call}, timeout=5)
            assert not adapted.open
            return call

        return asyncio.run(serve()), socket.sent

    return run


def test_server_sent_events_are_passed_on_and_end_with_their_worker(run):
    async def application(scope, receive, send):
        await send(EVENTS)
        await asyncio.sleep(60)

    call, sent = run(application, "http", 0.05)
    assert call.cancelled()
    assert sent[0]["headers"] == [*EVENTS["headers"], LAST, (b"x-accel-buffering", b"no")]
    assert sent[1:] == [{"type": "http.response.body", "body": b"", "more_body": False}]


def test_any_other_response_has_an_end_of_its_own(run):
    async def application(scope, receive, send):
        await send(PAGE)
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body"})

    call, sent = run(application, "http", 0.05)
    assert call.exception() is None
    assert sent == [{**PAGE, "headers": [*PAGE["headers"], LAST]}, {"type": "http.response.body"}]


def test_a_websocket_is_pinged_and_closed_with_its_worker(run, monkeypatch):
    monkeypatch.setattr(_gunicorn_asgi, "PING_INTERVAL", 0.02)

    async def application(scope, receive, send):
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0.5)

    call, sent = run(application, "websocket", 0.2)
    assert call.exception() is None
    assert sent[:2] == [{"type": "websocket.accept"}, (9, b"")]
    assert sent[-1] == {"type": "websocket.close", "code": 1012}
    assert len(sent) > 3


FAILED = {"type": "lifespan.startup.failed", "message": "no database"}


def test_the_lifespan_of_an_application_is_its_own(run):
    async def application(scope, receive, send):
        await send(FAILED)
        raise KeyError(scope["type"])

    call, sent = run(application, "lifespan")
    assert sent == [FAILED]
    assert call.exception().args == ("lifespan",)


def test_an_application_without_lifespan_has_started(run):
    async def django(scope, receive, send):
        raise ValueError(f"Django can only handle ASGI/HTTP connections, not {scope['type']}.")

    async def other(scope, receive, send):
        pass

    async def any_scope(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    for application in (django, other, any_scope):
        call, sent = run(application, "lifespan")
        assert call.exception() is None
        assert sent == [{"type": "lifespan.startup.complete"}]
