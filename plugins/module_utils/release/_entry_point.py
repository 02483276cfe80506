# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Whether the entry point of an app can be imported and served, and what its server has to know of it."""

from __future__ import annotations

import inspect
import json
import re
import uuid
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import ASGI_WORKERS, INTERFACES, Imported
from ansible_collections.wsgi.stack.plugins.module_utils.host import _read_only
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import TIMED_OUT, Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.release import _import_check

LOCKED = re.compile(r"\b(?:LockError|BlockingIOError)\b|[Cc]ouldn't lock|already locked")
"""What apps say that do not get a lock."""

IMPORT_TIMEOUT = 120
"""Seconds that an entry point may take to be imported."""

IMPORT_CHECK = inspect.getsource(_import_check)
"""The program that imports it. Read at the import, for which there is one thread."""


def check(app: App, runner: list[str], file: str, sandbox: Sandbox, unread: str = "") -> Imported:
    """Import it as the app's user.

    :param runner: the beginning of a command line that runs a program in a release
    :param file: the path of ``app_servers._entry_points.FILE``
    :param unread: what the build says of a lock file that it did not read, see ``build._choice.Choice``
    :raises StackError: it cannot be imported, or is nothing that can be served
    """
    mark = uuid.uuid4().hex
    done = sandbox.run([[*runner, "python", "-c", IMPORT_CHECK, file, mark, *ASGI_WORKERS]], timeout=IMPORT_TIMEOUT)
    report = read(done, mark)
    if report is None:
        cause = (
            f"it takes more than {IMPORT_TIMEOUT} s" if done.code == TIMED_OUT else decisive_line(done.output) or done.last_line
        )
        text = f"entry_point {app['entry_point']} cannot be imported: {cause}; {fix(app, cause, unread)}"
        raise StackError("import", f"{text}. The running release is unchanged.", done.output)
    imported = found(report)
    cause = str(report.get("cause", ""))[:1000] or _registry.server(app["stack"]).refusal(app, imported)
    if cause:
        raise StackError("import", f"entry_point {app['entry_point']} {cause}. The running release is unchanged.", done.output)
    return imported


def read(done: Completed, mark: str) -> dict[str, Any] | None:
    """What ``IMPORT_CHECK`` found, None if it did not get to its end. Pure.

    The app's code runs in the same process, and can print anything; it deceives only itself.
    """
    lines = [line for line in done.output.splitlines() if line.startswith(f"{mark} ")]
    if done.code or not lines:
        return None
    try:
        report = json.loads(lines[-1].partition(" ")[2])
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) else None


def fix(app: App, cause: str, unread: str = "") -> str:
    """What to do about an import that failed. Pure.

    :param unread: see ``check``
    """
    missing = re.search(r"ModuleNotFoundError: No module named '([^'.]+)", cause)
    name = missing[1] if missing else ""
    if name == "pkg_resources":
        return "add setuptools<81 to packages"
    if name == "uwsgi":
        return "import uwsgi where it is used, or expect an ImportError, since there is no uWSGI yet when the import is checked"
    if name and app["requirements"] is not None and name == re.split(r"[.:]", app["entry_point"])[0]:
        return f"if it is the project itself that has {name}, name the directory of the project in requirements, too"
    if LOCKED.search(cause):
        return "if the running release holds that lock, this app cannot run in two releases at once, see docs/applications.md"
    if name and unread:
        return unread.partition(": ")[2].rstrip(".")
    return _read_only.fix(cause) or "fix the code, its requirements or its environment"


def found(report: dict[str, Any]) -> Imported:
    """What a report says of an application. Pure."""
    interface, modules = report.get("interface"), report.get("modules")
    return Imported(
        interface if isinstance(interface, str) and interface in INTERFACES else INTERFACES[0],
        threads(report),
        tuple(module for module in ASGI_WORKERS if isinstance(modules, list) and module in modules),
    )


def warning(app: App, started: str) -> str:
    """What the user is told of an import that starts threads, under a server that loads an app before it forks. Pure.

    :param started: see ``Imported.threads``
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
