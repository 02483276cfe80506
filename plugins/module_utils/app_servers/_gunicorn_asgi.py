# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What an ASGI application needs behind nginx: the text of this file is a part of every release's gunicorn.conf.py.

The file stands alone. It serves any worker of gunicorn that speaks ASGI (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

PING_INTERVAL = 20.0
"""Seconds between two pings; a configuration sets it anew."""

LOOK = 0.5
"""Seconds between two looks at whether the worker is to end."""

SERVICE_RESTART = 1012
"""The code by which a websocket tells its client to connect again."""

PING = 9
"""The opcode of a ping (RFC 6455, 5.5.2)."""

SECURE = {"http": "https", "ws": "wss"}


class Connection:
    """A response or websocket without an end of its own."""

    def __init__(self, send: Callable[[dict[str, Any]], Awaitable[None]], websocket: bool):
        self.send = send
        self.websocket = websocket
        self.task = asyncio.current_task()

    async def ping(self) -> None:
        """Keep nginx from taking a silent websocket for dead. uvicorn's workers do that themselves, gunicorn's do not."""
        send_frame = getattr(getattr(self.send, "__self__", None), "_send_frame", None)
        if self.websocket and send_frame is not None:
            await send_frame(PING, b"")

    async def end(self) -> None:
        """Tell the client that there is nothing more, so that it connects again, to the next release."""
        if self.websocket:
            await self.send({"type": "websocket.close", "code": SERVICE_RESTART})
        else:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
            if self.task is not None:
                self.task.cancel()


class BehindNginx:
    """An ASGI application that knows its visitors and its mount, and whose endless connections end before its worker does.

    gunicorn would wait for them as long as it may, and then kill the worker before the application's shutdown.

    :param application: the app's own
    :param mount: the prefix of its URLs, without a slash at its end
    """

    def __init__(self, application: Any, mount: str):
        self.application = application
        self.mount = mount
        self.worker: Any = None
        self.open: set[Connection] = set()
        self.watcher: asyncio.Task[None] | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
            return
        found: list[Connection] = []

        async def send_on(message: dict[str, Any]) -> None:
            endless = False
            if message["type"] == "http.response.start":
                message = last_of_its_connection(message)
                if is_event_stream(message):
                    endless = True
                    message = passed_on_at_once(message)
            elif message["type"] == "websocket.accept":
                endless = True
            await send(message)
            if endless:
                found.append(Connection(send, scope["type"] == "websocket"))
                self.watch(found[0])

        try:
            await self.application(as_visited(scope, self.mount), receive, send_on)
        finally:
            self.open.difference_update(found)

    async def live(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Start the application, which may know nothing of lifespan: it raises an exception, returns, or answers as to a request.

        gunicorn itself would take an application whose startup takes too long for one of these, and serve it.
        """
        answered = False

        async def send_on(message: dict[str, Any]) -> None:
            nonlocal answered
            if message["type"].startswith("lifespan."):
                answered = True
                await send(message)

        try:
            await self.application(scope, receive, send_on)
        except Exception:
            if answered:
                raise
        if not answered:
            await send({"type": "lifespan.startup.complete"})

    def watch(self, connection: Connection) -> None:
        """Ping a connection, and end it when the worker is to end."""
        self.open.add(connection)
        if self.watcher is None or self.watcher.done():
            self.watcher = asyncio.ensure_future(self.look_after())

    async def look_after(self) -> None:
        """Do that as long as there is such a connection."""
        pinged = time.monotonic()
        while self.open and getattr(self.worker, "alive", True):
            await asyncio.sleep(LOOK)
            if time.monotonic() - pinged >= PING_INTERVAL:
                pinged = time.monotonic()
                for connection in [*self.open]:
                    with contextlib.suppress(Exception):
                        await connection.ping()
        await asyncio.gather(*(connection.end() for connection in self.open), return_exceptions=True)


def adapted(application: Any) -> BehindNginx:
    """The application as a worker takes it."""
    return BehindNginx(application, os.environ.get("SCRIPT_NAME", ""))


def as_visited(scope: dict[str, Any], mount: str) -> dict[str, Any]:
    """The scope of a request as the visitor made it, which over a unix socket nginx alone knows."""
    headers = dict(scope["headers"])
    # What asks without nginx, such as the health check, is on this host.
    told = {**scope, "root_path": mount, "client": (headers.get(b"x-real-ip", b"127.0.0.1").decode("latin-1"), 0)}
    if headers.get(b"x-forwarded-proto") == b"https":
        told["scheme"] = SECURE.get(scope["scheme"], scope["scheme"])
    return told


def last_of_its_connection(message: dict[str, Any]) -> dict[str, Any]:
    """The start of a response after which nginx makes a new connection: when a worker ends, it closes those that are open."""
    headers = [(name, value) for name, value in message.get("headers") or () if bytes(name).lower() != b"connection"]
    return {**message, "headers": [*headers, (b"connection", b"close")]}


def is_event_stream(message: dict[str, Any]) -> bool:
    """Whether a response consists of server-sent events."""
    headers = {bytes(name).lower(): bytes(value) for name, value in message.get("headers") or ()}
    return headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")


def passed_on_at_once(message: dict[str, Any]) -> dict[str, Any]:
    """The start of a response that nginx does not keep until its buffers are full."""
    headers = list(message["headers"])
    if all(bytes(name).lower() != b"x-accel-buffering" for name, _value in headers):
        headers.append((b"x-accel-buffering", b"no"))
    return {**message, "headers": headers}
