# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes of whoever comes by: a factory, an instance folder, and a SQLite file in it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from flask import Flask, redirect, render_template, request, session, url_for


def create_app() -> Flask:
    """The application. Its instance folder has the configuration and the database, see ``setup``."""
    app = Flask(__name__)
    app.config.from_pyfile(os.path.join(app.instance_path, "config.py"))

    def database() -> sqlite3.Connection:
        return sqlite3.connect(os.path.join(app.instance_path, "notes.sqlite"), isolation_level=None)

    @app.get("/")
    def show() -> str:
        with closing(database()) as connection:
            notes = [text for (text,) in connection.execute("SELECT text FROM note ORDER BY id DESC LIMIT 50")]
        return render_template("notes.html", notes=notes, written=session.get("written", 0))

    @app.post("/")
    def write():
        with closing(database()) as connection:
            connection.execute("INSERT INTO note (text) VALUES (?)", (request.form["text"][:1000],))
        session["written"] = session.get("written", 0) + 1
        return redirect(url_for("show"), code=303)

    return app
