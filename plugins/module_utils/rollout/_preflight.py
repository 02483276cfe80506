# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Checks before a release is started: its interpreter, its virtual environment and its server have to fit each other.

uWSGI checks none of this. With another Python than the virtual environment's it starts, and finds none of the modules; with
another libpython than the interpreter's it works until it loads an extension module that was built for the other; a plugin of
an older uWSGI loads, and hangs.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _interpreter
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._once import Once
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release, _writable
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _embedded_python, _file, _uwsgi_binary

NEW_BUILD = "change the app's source or packages, which makes a new build"
WITH_EXEC = "no program of a build can be run there: mount it without that option, or set wsgi_directory"
NEW_PLUGIN = "build one that fits with the module wsgi.stack.uwsgi_plugin"

_plugins: Once[tuple[str, str] | None] = Once()
"""What is found out about a plugin for an interpreter: each is loaded once for all apps that use it."""


def check(app: App, number: int) -> None:
    """Refuse a release that would start, and then find no module, serve no request or not write where it has to.

    :raises StackError: two of its parts do not fit each other, or the host does not have what it needs
    """
    layout = _layout.of(app)
    release = _release.read(layout, number)
    venv = os.path.join(release["build"]["path"], "venv")
    closed = first_closed([layout.release(number), release["build"]["path"], venv, os.path.join(venv, "bin")])
    if closed:
        fix = f"run chmod -R g+rX,o+X {layout.builds} {layout.releases}"
        raise StackError("host", f"the group of the app cannot enter {closed}, whose mode was changed; {fix}.")
    _writable.check(app, release["writable_paths"])
    if os.statvfs(layout.release(number)).f_flag & os.ST_NOEXEC:
        raise StackError("host", f"{app['directory']} is on a file system that is mounted with noexec; {WITH_EXEC}.")
    # The programs of a build are the app's own code.
    sandbox = _sandbox.as_app(f"Check of the WSGI application {app['name']}", app["user"], app["group"], "", ())
    interpreter = _check_environment(venv, sandbox)
    program = release["program"]
    if release["plugin"]:
        _check_plugin(release["plugin"], interpreter)
    elif not os.path.exists(program):
        raise StackError("plugin", f"the release has no {program}; {NEW_BUILD}.")
    elif release["protocol"] == "uwsgi":
        unfit = _embedded_python.of_program(program, interpreter, sandbox)
        if unfit:
            raise StackError("plugin", f"{program} does not fit: {unfit[0]}; {NEW_BUILD}.", unfit[1])


def first_closed(directories: Iterable[str]) -> str:
    """The first directory that its group cannot enter, "" if there is none."""
    there = (path for path in directories if os.path.isdir(path))
    return next((path for path in there if not os.stat(path).st_mode & stat.S_IXGRP), "")


def environment_version(configuration: str) -> str:
    """The version in the text of a ``pyvenv.cfg``: ``version`` from the module venv, ``version_info`` from uv. Pure."""
    found = re.search(r"^version(?:_info)?\s*=\s*([\w.+]{1,40})", configuration, re.MULTILINE)
    return found[1] if found else "unknown"


def environment_mismatch(version: str, interpreter: dict[str, Any]) -> str | None:
    """Why a virtual environment does not fit the interpreter that its symlink names; None if it does. Pure.

    Its modules are in a directory of one language version. The third number may differ, as after a security update.

    :param version: of the Python that made the environment
    """
    if version.split(".")[:2] == interpreter["version"].split(".")[:2]:
        return None
    made = f"the virtual environment was made for Python {version} (pyvenv.cfg)"
    return f"{made}, but the app's interpreter {interpreter['executable']} is {interpreter['version']}; {NEW_BUILD}."


def _check_environment(venv: str, sandbox: Sandbox) -> dict[str, Any]:
    python = os.path.join(venv, "bin/python")
    if not os.path.exists(python):
        gone = os.readlink(python) if os.path.islink(python) else python
        raise StackError(
            "plugin", f"the interpreter of the virtual environment, {gone}, is missing; install it again, or {NEW_BUILD}."
        )
    interpreter = _interpreter.probe(python, sandbox)
    configuration = _untrusted.text_or_none(os.path.join(venv, "pyvenv.cfg"), _untrusted.CONFIGURATION) or ""
    mismatch = environment_mismatch(environment_version(configuration), interpreter)
    if mismatch:
        raise StackError("plugin", mismatch)
    return interpreter


def _check_plugin(name: str, interpreter: dict[str, Any]) -> None:
    core = _uwsgi_binary.read()
    path = _file.path_of(core, name)
    if not os.path.exists(path):
        raise StackError(
            "plugin", f"{path}, the plugin for the app's interpreter {interpreter['executable']}, is missing; {NEW_PLUGIN}."
        )
    mismatch = _file.problem(path, core)
    if mismatch:
        raise StackError("plugin", f"{mismatch}; {NEW_PLUGIN}.")
    unfit = _unfit(path, interpreter)
    if unfit:
        raise StackError("plugin", f"{path} does not fit: {unfit[0]}; {NEW_PLUGIN}.", unfit[1])


def _unfit(path: str, interpreter: dict[str, Any]) -> tuple[str, str] | None:
    """See ``_embedded_python.of_plugin``."""
    question = path, interpreter["executable"], interpreter["version"], interpreter["library"]
    return _plugins.answer(question, lambda: _embedded_python.of_plugin(path, interpreter))
