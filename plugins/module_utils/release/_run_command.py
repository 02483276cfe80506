# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``run_command``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display, _read_only, _redact, _sandbox, _shell, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release

OWN = ("HOME", "WSGI_RELEASE")
"""Variables that the collection sets in a release, and not in a build."""


def run_command(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Run a command in the live release of an app, as release commands are run.

    :param wanted: the module's parameters
    :raises StackError: there is no live release, or the app belongs to another list
    """
    app, command = wanted["app"], wanted["command"]
    _record.load().refuse_foreign([app["name"]], wanted["list"])
    layout = _layout.of(app)
    number = _release.linked(layout.current)
    if number is None:
        raise StackError("run", f"app {app['name']} has no live release on this host; deploy it with wsgi.stack.site first.")
    if check:
        return {"changed": True, "release": number}
    release = _release.read(layout, number)
    sandbox = _sandbox.as_app(
        f"Command of the WSGI application {app['name']}",
        app["user"],
        app["group"],
        "",
        [layout.shared, *release["writable_paths"]],
        release["privileged_programs"],
    )
    runner = os.path.join(layout.release(number), "run")
    began = time.monotonic()
    done = sandbox.run([[runner, *_shell.argv(command)]])
    seconds = round(time.monotonic() - began, 1)
    lines = _display.plain(_redactor(app, release)(done.output)).splitlines()
    result = {"changed": True, "release": number, "code": done.code, "seconds": seconds, "report": lines}
    if done.code:
        end = f"ended with exit code {done.code}" if done.code > 0 else f"was killed by signal {-done.code}"
        cause = decisive_line("\n".join(lines)) or "it printed nothing"
        text = "; ".join(filter(None, [cause, _read_only.fix(cause)]))
        result.update(failed=True, msg=f"app {app['name']}: run: {_shell.shown(command)} {end}: {text}")
    return result


def _redactor(app: App, release: Mapping[str, Any]) -> Callable[[str], str]:
    """Hides what the release's variables and files say that may be secret, as in the output of ``release_commands``."""
    build = release["build"]["path"]
    variables = _release.environment(_layout.of(app), release["number"])
    given = {name: value for name, value in variables.items() if name not in (*_layout.variables(app, build), *OWN)}
    laid = {path: _untrusted.text_or_none(os.path.join(build, "source", path)) or "" for path in app["files"]}
    return _redact.redactor([*_redact.secret_values(given), *_redact.of_files(laid)])


STEP = Step(
    {
        "list": _record.OPTIONS["list"],
        "app": {"type": "dict", "required": True},
        "command": {"type": "str", "required": True},
    },
    run_command,
)
