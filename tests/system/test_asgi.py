# SPDX-License-Identifier: GPL-3.0-or-later
"""ASGI applications, and what keeps a connection open under any stack: websockets and server-sent events, through nginx."""

from __future__ import annotations

import subprocess

from conftest import WEBSOCKETS, on

GUNICORN = {"stack": "gunicorn_supervisor"}

LIVE = """
import asyncio, contextlib, os
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

def note(text):
    with open(os.environ["WSGI_SHARED"] + "/notes", "a") as stream:
        print(text, file=stream)

@contextlib.asynccontextmanager
async def lifespan(app):
    note("startup " + os.environ["WSGI_RELEASE"])
    yield {"word": "hello"}
    note("shutdown " + os.environ["WSGI_RELEASE"])

app = FastAPI(lifespan=lifespan)

@app.get("/")
async def home(request: Request):
    return [request.state.word, request.client.host, request.url.scheme, str(request.url_for("home"))]

@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{text} {socket.url.scheme}")

@app.get("/events")
async def events():
    async def ticks():
        while True:
            yield "data: tick\\n\\n"
            await asyncio.sleep(0.5)
    return StreamingResponse(ticks(), media_type="text/event-stream")
"""

# The same for WSGI: with uWSGI's own websockets, and with those of Flask-Sock.
PLAIN = """
import itertools, os, time

if "sock" in os.environ["WSGI_APP"]:
    from flask import Flask
    from flask_sock import Sock
    flask = Flask(__name__)

    @Sock(flask).route("/ws")
    def echo(socket):
        while True:
            socket.send(socket.receive() + " ws")

def app(environ, start_response):
    if environ["PATH_INFO"] == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return (time.sleep(0.5) or b"data: tick\\n\\n" for _tick in itertools.repeat(0, 20))
    if environ["PATH_INFO"] != "/ws":
        start_response("200 OK", [])
        return [b""]
    if "uwsgi.version" not in environ:
        return flask(environ, start_response)
    import uwsgi
    uwsgi.websocket_handshake()
    while True:
        uwsgi.websocket_send(uwsgi.websocket_recv().decode() + " ws")
"""

# A visitor: says when events come, what a websocket answers before and after a silence, and how both end.
VISITOR = (
    WEBSOCKETS
    + """
def events(host, path):
    began = time.monotonic()
    status, connection, stream = ask(host, path, "Connection: close\\r\\n")
    times = []
    while len(times) < 3:
        if stream.readline().startswith(b"data:"):
            times.append(time.monotonic() - began)
    return status, connection, stream, times[0] < 1.5 and times[2] - times[0] > 0.7

host, path, silence, stay = sys.argv[1], sys.argv[2], float(sys.argv[3]), len(sys.argv) > 4
status, ws, frames = websocket(host, path + "ws")
say(ws, b"a")
words = [status, hear(frames)]
time.sleep(silence)
say(ws, b"b")
words.append(hear(frames))
status, connection, stream, in_time = events(host, path + "events")
print(*words, status, in_time, flush=True)
if stay:
    print(hear(frames), stream.read().endswith(b"0\\r\\n\\r\\n"))
"""
)


@on(12)
def test_what_stays_open_under_each_stack(server, tmp_path, code):
    server.sh(f"cat >/root/visitor.py <<'END'\n{VISITOR}\nEND\n")
    plain = {"source": code(PLAIN, "plain"), "entry_point": "app:app", "processes": 1, "threads": 8}
    live = {"source": code(LIVE, "live"), "entry_point": "app:app", "packages": ["fastapi"], "processes": 2}
    apps = [
        {
            **live,
            "name": "live",
            **GUNICORN,
            "mount": "/live",
            "request_timeout": 4,
            "domains": ["asgi.test"],
        },
        {**live, "name": "wrong", "domains": ["wrong.test"]},
        {**plain, "name": "own", "domains": ["uwsgi.test"]},
        {
            **plain,
            "name": "sock",
            **GUNICORN,
            "interface": "wsgi",
            "packages": ["flask-sock"],
            "domains": ["sock.test"],
        },
        {**live, "name": "uvicorn", **GUNICORN, "packages": ["fastapi", "gunicorn<27", "uvicorn-worker"], "domains": ["uv.test"]},
    ]
    play = server.play(apps)
    assert play.message == (
        "app wrong: import: entry_point app:app is an ASGI application, and uWSGI serves WSGI only; set stack:"
        " gunicorn_supervisor, or name a WSGI application. The running release is unchanged."
    )
    assert server.get("/live/", "asgi.test") == '200 ["hello","127.0.0.1","http","http://asgi.test/live/"]'
    # nginx, which does not know what an app of gunicorn's is, is told to make a new connection for each request.
    for name, path in (("live", "/live/"), ("uvicorn", "/")):
        answer = server.sh(f"curl -si --unix-socket /run/wsgi/{name}/app.http.sock -H 'Connection:' http://asgi.test{path}")
        assert answer.startswith("HTTP/1.1 200 "), answer
        assert [line.lower() for line in answer.splitlines() if line[:11].lower() == "connection:"] == ["connection: close"], (
            answer
        )
    for domain in ("uwsgi.test", "sock.test"):
        assert server.sh(f"python3 /root/visitor.py {domain} / 0") == "101 a ws b ws 200 True\n", domain

    # Longer silence than a request may last; and what is open ends with the release, not with a time limit, and not by force.
    visit = "exec timeout 120 python3 /root/visitor.py asgi.test /live/ 6 stay"
    with subprocess.Popen(["docker", "exec", server.name, "sh", "-c", visit], stdout=subprocess.PIPE, text=True) as visitor:
        assert visitor.stdout.readline() == "101 a ws b ws 200 True\n"
        server.converge([{**apps[0], "environment": {"A": "b"}}, *apps[2:]])
        assert visitor.communicate(timeout=60)[0] == "1012 True\n"
    notes = server.sh("cat /srv/wsgi/live/shared/notes").split("\n")
    assert sorted(notes[:-1]) == [*["shutdown 1"] * 2, *["startup 1"] * 2, *["startup 2"] * 2]
