# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The directories of the host that an app has to be able to write to."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox

WRITE_TEST = '[ -d "$1" ] || exit 3; [ -w "$1" ] && [ -x "$1" ] || exit 4'

TEST_TIMEOUT = 10
"""Seconds; a file system over a network may not answer."""


def check(app: App, paths: Iterable[str]) -> None:
    """Make sure that an app may write to some directories.

    :raises StackError: one is missing, or may not be written to
    """
    what = f"Check of the WSGI application {app['name']}"
    for path in paths:
        # Without it the sandbox is made all the same, and the test tells that it is missing.
        sandbox = _sandbox.as_app(what, app["user"], app["group"], "", [f"-{path}"])
        done = sandbox.run([["sh", "-c", WRITE_TEST, "sh", path]], timeout=TEST_TIMEOUT)
        if done.code:
            raise StackError("writable_paths", unwritable(path, app["user"], done.code))


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
