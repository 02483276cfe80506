# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a release's interpreter, its virtual environment and its server belong together.

uWSGI asks none of this. With another Python than the virtual environment's it starts, and finds no module in it; with another
libpython than the interpreter's it may work, until an extension module is loaded that was made for the other; a plugin of an
older uWSGI loads, and hangs.
"""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.build import _interpreter
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _embedded_python, _file, _uwsgi_binary

ANEW = "change the app's source or packages, which makes a new build"
PLUGIN = "let the module wsgi.stack.uwsgi_plugin make one that fits"


def check(app: dict[str, Any], number: int) -> None:
    """Refuse a release that would start, and then find no module or serve no request.

    :raises StackError: two of its parts differ
    """
    release = _release.read(_layout.of(app), number)
    interpreter = _check_environment(os.path.join(release["build"]["path"], "venv"), app["user"])
    program = release.get("program", _uwsgi.PROGRAM)
    if app["protocol"] == "http":
        if not os.path.exists(program):
            raise StackError("plugin", f"the release has no {program}; {ANEW}.")
    elif program == _uwsgi.PROGRAM:
        _check_plugin(_uwsgi.plugin_name(release["build"]["python"]), interpreter)
    else:
        unfit = _embedded_python.of_program(program, interpreter, app["user"])
        if unfit:
            raise StackError("plugin", f"{program} does not fit: {unfit[0]}; {ANEW}.", unfit[1])


def environment_version(configuration: str) -> str:
    """The version in the text of a ``pyvenv.cfg``: ``version`` as the module venv writes it, ``version_info`` as others do."""
    found = re.search(r"^version(?:_info)?\s*=\s*([\w.+]+)", configuration, re.MULTILINE)
    return found[1] if found else "unknown"


def environment_mismatch(version: str, interpreter: dict[str, Any]) -> str | None:
    """In words, why a virtual environment does not fit the interpreter that it leads to. Pure.

    Its modules lie where one language version looks for them: the third number may differ, as after a security update.

    :param version: that the environment was made for
    """
    if version.split(".")[:2] == interpreter["version"].split(".")[:2]:
        return None
    made = f"the virtual environment was made for Python {version}, as its pyvenv.cfg says"
    return f"{made}, but the app's interpreter {interpreter['executable']} is {interpreter['version']}; {ANEW}."


def _check_environment(venv: str, user: str) -> dict[str, Any]:
    python = os.path.join(venv, "bin/python")
    if not os.path.exists(python):
        gone = os.readlink(python) if os.path.islink(python) else python
        raise StackError("plugin", f"the interpreter of the virtual environment is gone, {gone}; install it again, or {ANEW}.")
    interpreter = _interpreter.probe(python, user)
    with open(os.path.join(venv, "pyvenv.cfg"), encoding="utf-8") as stream:
        objection = environment_mismatch(environment_version(stream.read()), interpreter)
    if objection:
        raise StackError("plugin", objection)
    return interpreter


def _check_plugin(name: str, interpreter: dict[str, Any]) -> None:
    core = _uwsgi_binary.read()
    path = _file.path_of(core, name)
    if not os.path.exists(path):
        raise StackError("plugin", f"there is no {path} for the app's interpreter {interpreter['executable']}; {PLUGIN}.")
    objection = _file.objection(path, core)
    if objection:
        raise StackError("plugin", f"{objection}; {PLUGIN}.")
    unfit = _embedded_python.of_plugin(path, interpreter)
    if unfit:
        raise StackError("plugin", f"{path} does not fit: {unfit[0]}; {PLUGIN}.", unfit[1])
