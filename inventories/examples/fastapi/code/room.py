# SPDX-License-Identifier: GPL-3.0-or-later
"""A room in which everybody hears what one visitor says. Who listens is in memory, so the app has one process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse

PAGE = Path(__file__).with_name("room.html")
said: list[str] = []
listeners: set[asyncio.Queue[str]] = set()


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    said.append("The room is open.")
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(PAGE)


@app.get("/said")
async def recent() -> list[str]:
    return said[-50:]


@app.websocket("/room")
async def room(socket: WebSocket) -> None:
    await socket.accept()
    queue: asyncio.Queue[str] = asyncio.Queue()
    listeners.add(queue)
    speaker = asyncio.create_task(tell(socket, queue))
    try:
        async for text in socket.iter_text():
            said.append(text)
            for listener in listeners:
                listener.put_nowait(text)
    finally:
        listeners.discard(queue)
        speaker.cancel()


async def tell(socket: WebSocket, queue: asyncio.Queue[str]) -> None:
    while True:
        await socket.send_text(await queue.get())
