# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The stamp in a plugin that this collection built: what it was built from, as the file's last line.

The loader ignores what follows the sections of an ELF file. So the stamp needs no compiler tools, cannot get separated from the
file, and ``tail -n 1 FILE`` shows it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
"""To be incremented when plugins are built differently from the same inputs, so that all are rebuilt."""

MARK = b"\nwsgi.stack.uwsgi_plugin "


@dataclass(frozen=True)
class Stamped:
    """A plugin file.

    :ivar stamp: nothing if it has none
    :ivar intact: whether the rest of the file is what the stamp was made for
    """

    content: bytes
    stamp: dict[str, Any] | None
    intact: bool


def add(content: bytes, stamp: Mapping[str, Any]) -> bytes:
    """A plugin's bytes with a stamp."""
    text = json.dumps({**stamp, "sha256": hashlib.sha256(content).hexdigest()}, sort_keys=True)
    return content + MARK + text.encode() + b"\n"


def split(data: bytes) -> Stamped:
    """The parts of a plugin file, also of one built by hand."""
    content, mark, text = data.rpartition(MARK)
    if not mark:
        return Stamped(data, None, False)
    try:
        stamp = json.loads(text)
        digest = stamp.get("sha256")
    except (ValueError, AttributeError, RecursionError):
        return Stamped(content, {}, False)
    return Stamped(content, stamp, digest == hashlib.sha256(content).hexdigest())


def differences(found: Stamped, wanted: Mapping[str, Any]) -> list[str]:
    """What has changed since a plugin was built, each change as a phrase. Pure.

    :param wanted: ``format``, ``uwsgi`` as ``Core.key``, ``interpreter`` (``version``, ``soabi``, ``library``; empty for a
        plugin that has nothing to do with Python), ``source`` (``version``, and ``sha256`` unless the sources are not there
        to be compared) and ``build`` (its variables)
    """
    stamp = found.stamp or {}
    if not found.intact:
        return ["the file was changed after it was built"]
    if stamp.get("format") != wanted["format"]:
        return ["another version of this collection built it"]
    changes = []
    for part, key, name in COMPARED:
        was, now = (stamp.get(part) or {}).get(key), wanted[part].get(key)
        if was != now and not (key == "sha256" and now is None):
            changes.append(_change(name, was, now))
    return changes


COMPARED = [
    ("uwsgi", "version", "uWSGI"),
    ("uwsgi", "header", "uWSGI's header"),
    ("uwsgi", "flags", "the flags of uWSGI's build"),
    ("interpreter", "version", "the interpreter"),
    ("interpreter", "soabi", "the interpreter's ABI"),
    ("interpreter", "library", "the interpreter's libpython"),
    ("source", "version", "the release of uWSGI that the plugin's sources are of"),
    ("source", "sha256", "the plugin's sources"),
    ("build", "CC", "the compiler"),
    ("build", "CFLAGS", "the compiler's flags"),
    ("build", "LDFLAGS", "the linker's flags"),
]


def _change(name: str, was: Any, now: Any) -> str:
    if isinstance(now, list):
        added = [flag for flag in now if flag not in (was or [])]
        removed = [flag for flag in was or [] if flag not in now]
        return f"{name}: now {' '.join(added) or 'nothing more'}, no longer {' '.join(removed) or 'nothing'}"
    # Of a digest, enough to tell two apart.
    shown = [(value or "none")[:12] if re.fullmatch("[0-9a-f]{32,}", now or "") else value or "none" for value in (was, now)]
    return f"{name}: was {shown[0]}, is {shown[1]}"
