# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the entry point of an app can be imported and served, and which threads its import starts."""

from __future__ import annotations

import inspect
import json
import uuid
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import TIMED_OUT, Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.release import _import_check

IMPORT_TIMEOUT = 120
"""Seconds that an entry point may take to be imported."""

IMPORT_CHECK = inspect.getsource(_import_check)
"""The program that imports it. Read at the import, for which there is one thread."""


def check(app: App, runner: list[str], file: str, sandbox: Sandbox) -> str:
    """Import it as the app's user.

    :param runner: the beginning of a command line that runs a program in a release
    :param file: the path of ``app_servers._entry_points.FILE``
    :returns: the threads that it has started, in words; "" if there are none
    :raises StackError: it cannot be imported, or is nothing that can be served
    """
    mark = uuid.uuid4().hex
    done = sandbox.run([[*runner, "python", "-c", IMPORT_CHECK, file, mark]], timeout=IMPORT_TIMEOUT)
    report = read(done, mark)
    if report is None:
        cause = (
            f"it takes more than {IMPORT_TIMEOUT} s" if done.code == TIMED_OUT else decisive_line(done.output) or done.last_line
        )
        raise StackError(
            "import",
            f"entry_point {app['entry_point']} cannot be imported: {cause};"
            " fix the code, its requirements or its environment. The running release is unchanged.",
            done.output,
        )
    if "cause" in report:
        cause = f"entry_point {app['entry_point']} {str(report['cause'])[:1000]}. The running release is unchanged."
        raise StackError("import", cause, done.output)
    return threads(report)


def read(done: Completed, mark: str) -> dict[str, Any] | None:
    """What ``IMPORT_CHECK`` found, None if it did not get to its end. Pure.

    The app's code runs in the same process, and can print anything; it deceives nobody but itself.
    """
    lines = [line for line in done.output.splitlines() if line.startswith(f"{mark} ")]
    if done.code or not lines:
        return None
    try:
        report = json.loads(lines[-1].partition(" ")[2])
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) else None


def warning(app: App, started: str) -> str:
    """What the user is told of an import that starts threads, under a server that loads an app before it forks. Pure.

    :param started: see ``check``
    """
    return (
        f"app {app['name']}: importing {app['entry_point']} starts threads ({started}), and threads do not survive the fork of"
        " uWSGI's workers, so each worker of this release loads the app itself; to confirm that, set lazy-apps: true in"
        " server_options."
    )


def threads(report: dict[str, Any]) -> str:
    """The threads that an import has started, in words; "" if there are none. Pure."""
    names, native = report.get("threads"), report.get("native")
    words = [str(name)[:60] for name in names] if isinstance(names, list) else []
    if isinstance(native, int) and native > 0:
        words.append(f"{native} outside Python")
    return ", ".join(words[:4])
