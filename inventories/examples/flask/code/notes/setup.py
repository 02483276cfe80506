# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes what the application needs in its instance folder, unless it is there. Runs before each release."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing

from flask import Flask

TABLE = "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT)"


def main() -> None:
    folder = Flask("notes").instance_path
    configuration = os.path.join(folder, "config.py")
    if not os.path.exists(configuration):
        with open(configuration, "x", encoding="utf-8") as file:
            file.write(f"SECRET_KEY = {secrets.token_hex()!r}\n")
    with closing(sqlite3.connect(os.path.join(folder, "notes.sqlite"))) as connection:
        connection.execute(TABLE)


if __name__ == "__main__":
    main()
