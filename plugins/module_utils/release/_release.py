# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The releases that a host has: their numbers, what they say of themselves, and which of them a link names."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout


def numbers(directory: str) -> list[int]:
    """The numbers of the releases in a directory, ascending."""
    try:
        return sorted(int(name) for name in os.listdir(directory) if re.fullmatch("[0-9]{1,9}", name))
    except FileNotFoundError:
        return []


def read(layout: _layout.Layout, number: int) -> dict[str, Any]:
    """The ``release.json`` of a release: its ``facts``, ``number``, ``digest``, ``description`` and ``entry``."""
    with open(os.path.join(layout.release(number), "release.json"), encoding="utf-8") as stream:
        return json.load(stream)


def environment(layout: _layout.Layout, number: int) -> dict[str, str]:
    """The variables that a release's commands find, from its file ``run``; see ``_make.files``."""
    with open(os.path.join(layout.release(number), "run"), encoding="utf-8", errors="surrogateescape") as stream:
        words = iter(shlex.split(stream.read(), comments=True))
    found = {}
    for _export in itertools.takewhile("export".__eq__, words):
        name, _equals, value = next(words).partition("=")
        found[name] = value
    return found


def history(layout: _layout.Layout) -> list[tuple[int, str, str]]:
    """The releases that went live, the last one last: number, stack, and the time in ISO 8601 and UTC.

    A release that was gone back to is there again. A line that cannot be read, such as one that a full disk cut off, is left out.
    """
    try:
        with open(layout.history, encoding="utf-8", errors="replace") as stream:
            lines = [line.split() for line in stream]
    except FileNotFoundError:
        return []
    return [(int(line[0]), line[1], line[2]) for line in lines if len(line) == 3 and re.fullmatch("[0-9]{1,9}", line[0])]


def linked(path: str) -> int | None:
    """The number of the release that a link names; None without a link."""
    try:
        name = os.path.basename(os.readlink(path))
    except OSError:
        return None
    return int(name) if re.fullmatch("[0-9]{1,9}", name) else None


def of_slot(layout: _layout.Layout, slot: str) -> dict[str, Any]:
    """The ``release.json`` of the release that a slot runs, or is about to.

    :raises OSError: it has none
    """
    return read(layout, int(os.path.basename(os.readlink(layout.slot(slot)))))


def sleeps(layout: _layout.Layout, slot: str) -> bool:
    """Whether the release in a slot is started by its first request, and ends when nobody asks for a while.

    The release says it, not the app: a rollback also brings back the release's configuration.
    """
    try:
        return bool(of_slot(layout, slot)["idle"])
    except (OSError, ValueError, KeyError):
        return False
