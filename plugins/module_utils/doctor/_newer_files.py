# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Files that changed after a process read them: configuration, code, installed packages."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _units
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted

MARGIN = 0.5
"""Seconds by which a file has to be newer: file times and process times come from different clocks."""

CODE_FILES = 20000
CODE_DEPTH = 20
CODE_SECONDS = 4.0
"""Limits of a search for code: number of files, directories below one another, and seconds."""

NOT_CODE = {"node_modules", "site-packages", "__pycache__", "media", "static", "staticfiles", "uploads"}

TOO_HIGH = 2
"""Paths with fewer components, such as ``/srv``, are not searched: they contain more than one app."""


def newest(directory: str) -> list[tuple[str, float]]:
    """The three Python files of an app that changed last, newest first, without virtual environments."""
    parts = [part for part in os.path.realpath(directory).split("/") if part]
    if len(parts) < TOO_HIGH or not os.path.isdir(directory):
        return []
    deadline = time.monotonic() + CODE_SECONDS
    found: list[tuple[str, float]] = []

    def skipped(top: str, name: str) -> bool:
        return name in NOT_CODE or name.startswith(".") or _is_environment(top, name) or time.monotonic() > deadline

    for seen, (path, when) in enumerate(_untrusted.files_below(directory, CODE_DEPTH, skipped)):
        if seen > CODE_FILES or time.monotonic() > deadline:
            break
        if path.endswith(".py"):
            found.append((path, when))
    return sorted(found, key=lambda pair: pair[1], reverse=True)[:3]


def _is_environment(top: str, name: str) -> bool:
    return os.path.exists(os.path.join(top, name, "pyvenv.cfg")) or os.path.exists(os.path.join(top, name, "conda-meta"))


def newer(
    started: float, working: float, files: Iterable[str], unit: Mapping[str, str], code: str, environment: str
) -> Iterable[tuple[str, str, float]]:
    """Find files that changed after a server read them.

    :param started: start of the main process, seconds since the epoch
    :param working: start of the oldest worker
    :param files: configuration files of the server
    :param unit: properties of its systemd unit
    :param code: directory of the app's code
    :param environment: the virtual environment, "" without one
    :returns: kind (``configuration``, ``code``, ``packages``), path and time of each
    """
    now = time.time()

    def after(moment: float, when: float) -> bool:
        return moment + MARGIN < when <= now + MARGIN

    for path, moment in [*((file, working) for file in files), *((file, started) for file in _units.files(unit))]:
        with contextlib.suppress(OSError):
            when = os.stat(path).st_mtime
            if after(moment, when):
                yield "configuration", path, when
    for path, when in newest(code):
        if after(working, when) and path not in files:
            yield "code", path, when
    for path, when in _installed(environment)[:2]:
        if after(working, when):
            yield "packages", path, when


def _installed(environment: str) -> list[tuple[str, float]]:
    """The packages of a virtual environment with their time of installation, newest first."""
    if not environment:
        return []
    found = []
    library = os.path.join(environment, "lib")
    for directory in (os.path.join(library, name, "site-packages") for name in _untrusted.entries(library)):
        for name in _untrusted.entries(directory) if os.path.basename(os.path.dirname(directory)).startswith("python3") else []:
            if name.endswith(".dist-info"):
                with contextlib.suppress(OSError):
                    path = os.path.join(directory, name)
                    found.append((path, os.lstat(os.path.join(path, "RECORD")).st_mtime))
    return sorted(found, key=lambda pair: pair[1], reverse=True)
