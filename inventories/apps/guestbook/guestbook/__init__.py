# SPDX-License-Identifier: GPL-3.0-or-later
"""A guestbook: one page, one table in a SQLite file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from flask import Flask, flash, redirect, render_template, request, session, url_for

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]

TABLE = (
    "CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, name TEXT, message TEXT, written TEXT DEFAULT CURRENT_TIMESTAMP)"
)


def database() -> sqlite3.Connection:
    """Connect to the guestbook's database. It is in the app's shared directory, so it outlives every release."""
    connection = sqlite3.connect(os.path.join(os.environ["WSGI_SHARED"], "guestbook.sqlite3"), isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute(TABLE)
    return connection


@app.get("/")
def show() -> str:
    """The latest entries, and a form to write another one."""
    with closing(database()) as connection:
        entries = connection.execute("SELECT * FROM entry ORDER BY id DESC LIMIT 50").fetchall()
    return render_template("guestbook.html", entries=entries, release=os.environ["WSGI_RELEASE"])


@app.post("/")
def write():
    """Add an entry, then show the list."""
    name = request.form.get("name", "").strip()[:80]
    message = request.form.get("message", "").strip()[:1000]
    if name and message:
        with closing(database()) as connection:
            connection.execute("INSERT INTO entry (name, message) VALUES (?, ?)", (name, message))
        session["name"] = name
    else:
        flash("Please write your name and a few words.")
    return redirect(url_for("show"), code=303)
