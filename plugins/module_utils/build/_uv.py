# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""uv on the host: one copy of each version that is asked for, where all apps' users can run it."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.build._causes import first_cause
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import dies_with_parent, pip_command, pip_environment
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked

VERSION = "0.13.8"
DIRECTORY = "/usr/local/lib/wsgi"
SCRATCH = ".uv-"
TIMEOUT = 600  # seconds


def ensure(version: str, directory: str = DIRECTORY) -> str:
    """The path of a version of uv, which is installed from the host's package index unless it is there already.

    :raises StackError: it cannot be installed
    """
    path = os.path.join(directory, f"uv-{version}", "uv")
    if os.path.exists(path):
        return path
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o755)
    with locked("uv"):
        if not os.path.exists(path):
            _install(version, os.path.dirname(path))
    return path


def _install(version: str, target: str) -> None:
    # The wheel brings one program that needs nothing beside it. It appears under its name when it is complete and runs.
    for leftover in glob.glob(os.path.join(glob.escape(os.path.dirname(target)), f"{SCRATCH}*")):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=os.path.dirname(target)) as scratch:
        unpacked = os.path.join(scratch, "unpacked")
        pip = [*pip_command(), "install", "--target", unpacked, "--no-compile", "--only-binary", ":all:", f"uv=={version}"]
        installed = run(dies_with_parent(pip), environment=pip_environment(None, {}), timeout=TIMEOUT)
        if installed.code:
            fix = "correct uv_version or the index in the host's /etc/pip.conf, or set app_installer: pip"
            _refuse(version, f"{first_cause(installed)[0]}; {fix}", installed.output)
        ready = os.path.join(scratch, "ready")
        os.mkdir(ready)
        shutil.copyfile(os.path.join(unpacked, "bin/uv"), os.path.join(ready, "uv"))
        os.chmod(os.path.join(ready, "uv"), 0o755)
        os.chmod(ready, 0o755)
        tried = run([os.path.join(ready, "uv"), "--version"], timeout=TIMEOUT)
        if tried.code:
            _refuse(version, f"it does not run here ({decisive_line(tried.output)}); set app_installer: pip", tried.output)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(ready, target)


def _refuse(version: str, cause: str, log: str) -> None:
    raise StackError("install", f"uv {version} cannot be installed: {cause}.", log)
