# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which Python a uWSGI runs: the version that it prints, and the libpython that it is linked with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._uwsgi import PROGRAM
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox

TIMEOUT = 60  # seconds

SEPARATOR = "--- libraries"
"""The line between the output of uWSGI and that of ldd(1)."""


def sandbox() -> Sandbox:
    """With a user that nothing else runs as: the library of an interpreter may be anybody's."""
    return _sandbox.own_user("Check of a uWSGI plugin", network=False)


def with_plugins(*plugins: str) -> Completed:
    """Have the distribution's uWSGI load plugins, by their absolute paths, one of them Python's.

    The last line of the output is the version of the libpython that they got. By a name alone, uWSGI would silently take another
    file if it cannot read the one meant.
    """
    return sandbox().run([_loading(*plugins)], timeout=TIMEOUT)


def of_plugin(plugin: str, python: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a file is not a plugin for an interpreter, and uWSGI's output; None if it is one.

    :param python: see ``build._interpreter.FACTS``
    """
    return _mismatch(sandbox(), _loading(plugin), plugin, python)


def of_program(program: str, python: Mapping[str, Any], within: Sandbox) -> tuple[str, str] | None:
    """As ``of_plugin``, for a uWSGI that has Python built in.

    :param within: where it runs, as a user who can run it
    """
    return _mismatch(within, [program, "--python-version"], program, python)


def unloadable(output: str) -> str:
    """Why uWSGI could not load a plugin, from its output. Pure.

    The dynamic loader's message comes just before uWSGI's "unable to load plugin".
    """
    if "*** backtrace" in output:
        return "it does not load: uWSGI crashes with it"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    causes = [before for before, line in zip(lines, lines[1:]) if line.startswith("unable to load plugin")]
    cause = causes[-1] if causes else decisive_line(output) or "uWSGI printed nothing"
    return "it does not load: " + re.sub(r"^/\S+: ", "", cause)


def mismatch(python: Mapping[str, Any], version: str, library: str) -> str:
    """How the Python that a uWSGI runs differs from an interpreter; "" if it does not. Pure."""
    if version != python["version"]:
        return f"it runs Python {version}, and {python['executable']} is {python['version']}"
    if library != python["library"]:
        wanted = python["library"] or "none"
        return f"its libpython is {library or 'none'}, and that of {python['executable']} is {wanted}"
    return ""


def library_in(output: str) -> str:
    """The path of the libpython in what ldd(1) prints; "" without one."""
    found = re.search(r"libpython\d\S* => (/[^\0\n]*) \(0x", output)
    return found[1] if found else ""


def _loading(*plugins: str) -> list[str]:
    return [PROGRAM, *(word for path in plugins for word in ("--need-plugin", path)), "--python-version"]


def _mismatch(within: Sandbox, command: list[str], path: str, python: Mapping[str, Any]) -> tuple[str, str] | None:
    asked = within.run([command, ["echo", SEPARATOR], ["sh", "-c", 'ldd "$1" || :', "sh", path]], timeout=TIMEOUT)
    said, _separator, libraries = asked.output.rpartition(f"{SEPARATOR}\n")
    if asked.code:
        return unloadable(asked.output), asked.output
    library = library_in(libraries)
    version = Completed(asked.argv, 0, said).last_line
    cause = mismatch(python, version, os.path.realpath(library) if library else "")
    return (cause, said) if cause else None
