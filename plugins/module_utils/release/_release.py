# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The releases that a host has: their numbers, what they say of themselves, and which of them a link names."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError


def numbers(directory: str) -> list[int]:
    """The numbers of the releases in a directory, ascending."""
    try:
        return sorted(int(name) for name in os.listdir(directory) if re.fullmatch("[0-9]{1,9}", name))
    except FileNotFoundError:
        return []


class DamagedRelease(StackError, ValueError):
    """A release whose ``release.json`` is missing or wrong, as after a power failure."""

    def __init__(self, path: str, problem: str):
        fix = "choose another release, or run wsgi.stack.site, which makes a new one"
        super().__init__("release", f"{path} {problem}, so this release cannot be used; {fix}.")


class Release(dict[str, Any]):
    """What a ``release.json`` says. A key that is not there is a ``DamagedRelease``."""

    def __init__(self, path: str, content: Mapping[str, Any]):
        super().__init__(content)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise DamagedRelease(self.path, f"has no {key}")


def read(layout: _layout.Layout, number: int) -> Release:
    """The ``release.json`` of a release: its ``facts``, ``number``, ``digest``, ``description`` and ``entry``.

    :raises DamagedRelease: it is not there, or is not what the collection wrote
    """
    path = os.path.join(layout.release(number), "release.json")
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        raise DamagedRelease(path, "is missing") from None
    except ValueError:
        raise DamagedRelease(path, "is no JSON") from None
    if not isinstance(found, dict):
        raise DamagedRelease(path, "is no dictionary")
    return Release(path, found)


def build(layout: _layout.Layout, number: int) -> str:
    """The name of the directory with a release's build, "" if it has none."""
    try:
        return os.path.basename(os.readlink(os.path.join(layout.release(number), "build")))
    except OSError:
        return ""


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


def of_slot(layout: _layout.Layout, slot: str) -> Release:
    """The ``release.json`` of the release that a slot runs, or is about to.

    :raises OSError: it has none
    :raises DamagedRelease: see ``read``
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
