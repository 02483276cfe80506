# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What to do about an app that writes where it cannot: its code, for which it was given a file system that is read-only."""

from __future__ import annotations

import re

REFUSED = re.compile(
    r"Read-only file system|unable to open database file|attempt to write a readonly database"  # the last two are SQLite's
    r"|Permission denied: '(?!/)|Permission denied: '/[^']*/builds/[0-9a-f]+/source/"
)
"""What a program says that cannot write to a file system, or to a file of the build, also by a path relative to it."""


def fix(line: str) -> str:
    """What to do, by the line of a log that names the cause; "" if it names another. Pure."""
    if not REFUSED.search(line):
        return ""
    return "the app can write only to $WSGI_SHARED, its writable_paths and, beside its code, its shared_paths: use one of these"
