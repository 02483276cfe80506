# SPDX-License-Identifier: GPL-3.0-or-later
"""The API: things to do, in a file that outlives releases."""

from __future__ import annotations

import fcntl
import json
import os

from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def about() -> dict[str, str]:
    return {"name": "todo"}


@app.get("/items")
def items() -> list[str]:
    with opened() as file:
        return [json.loads(line) for line in file]


@app.post("/items")
def add() -> tuple[dict[str, str], int]:
    item = {"title": str(request.get_json()["title"])[:200]}
    with opened() as file:
        file.write(json.dumps(item["title"]) + "\n")
    return item, 201


def opened():
    file = open(os.path.join(os.environ["WSGI_SHARED"], "items"), "a+", encoding="utf-8")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.seek(0)
    return file
