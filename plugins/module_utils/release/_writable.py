# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories of the host that an app has to be able to write to."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

WRITE_TEST = '[ -d "$1" ] || exit 3; [ -w "$1" ] && [ -x "$1" ] || exit 4'

TEST_TIMEOUT = 10
"""Seconds; a file system over a network may not answer."""


def check(paths: Iterable[str], user: str) -> None:
    """Make sure that a user may write to some directories; of the sandbox that will open them nothing is known here.

    :raises StackError: one is missing, or may not be written to
    """
    for path in paths:
        done = run(["sh", "-c", WRITE_TEST, "sh", path], user=user, timeout=TEST_TIMEOUT)
        if done.code:
            raise StackError("writable_paths", unwritable(path, user, done.code))


def unwritable(path: str, user: str, code: int) -> str:
    """What is wrong with a directory that an app has to write to. Pure.

    :param code: the exit code of ``WRITE_TEST``
    """
    if code == 3:
        return (
            f"{path} is not a directory on this host, or user {user} does not get there;"
            f" create it (install -d -o {user} -g {user} {path}), or remove it from writable_paths."
        )
    if code == 4:
        return (
            f"user {user} may not write to {path}; give it the directory (chown {user}: {path}) if its file system is not mounted"
            " read-only, or remove it from writable_paths."
        )
    return f"{path} does not answer within {TEST_TIMEOUT} s; look at its file system (findmnt --target {path})."
