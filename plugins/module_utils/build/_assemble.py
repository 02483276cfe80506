# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Makes one build: fetch, install, run the build commands, compile, give it to root, stamp. A build that fails is removed.

Whatever is not root's own runs in a sandbox, and nothing of it is left when root looks at the files.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD
from ansible_collections.wsgi.stack.plugins.module_utils.build import (
    _commands,
    _directory,
    _git,
    _overlay,
    _permissions,
    _variables,
)
from ansible_collections.wsgi.stack.plugins.module_utils.build._choice import choose, uses_ssh
from ansible_collections.wsgi.stack.plugins.module_utils.build._copy import DIRECTORY_MODE
from ansible_collections.wsgi.stack.plugins.module_utils.build._installers import Installer
from ansible_collections.wsgi.stack.plugins.module_utils.build._stamp import STAMP, read_stamp
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _redact, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked

NAME = re.compile(r"[0-9a-f]{16}")
"""What a build is called."""


@dataclass(frozen=True)
class BuildSpec:
    """A build to make.

    :param app: the app, as resolved
    :param digest: the build's name
    :param revision: what to fetch
    :param python: the interpreter, see ``_interpreter.probe``
    :param secrets: the app's, see ``apps._resolve.secrets``
    :param archive: the files of a source that is a directory on the controller
    :param uv: the path of uv; installs with pip if not given
    """

    app: App
    digest: str
    revision: str
    python: Mapping[str, Any]
    secrets: Mapping[str, Any]
    archive: str | None
    uv: str | None

    @property
    def kind(self) -> str:
        return self.app["source"]["kind"]

    @property
    def files(self) -> Mapping[str, str]:
        return self.secrets.get("files") or {}

    @property
    def layout(self) -> _layout.Layout:
        return _layout.of(self.app)


def make(spec: BuildSpec) -> bool:
    """Make a build unless it exists, and let nginx read its static directories.

    :returns: whether there was anything to do; another run may have done it in the meantime
    :raises StackError: it cannot be made; what was made of it is removed
    """
    builds = spec.layout.builds
    if not os.path.isdir(builds):
        raise StackError("user", f"there is no {builds}; the role wsgi.stack.app makes it.")
    path = spec.layout.build(spec.digest)
    with locked(spec.layout.build_lock):
        stamp = read_stamp(path)
        if stamp is not None:
            unfinished = bool(unpublished(spec.app, stamp))
            if unfinished:
                _finish(spec.app, path, stamp)
            return unfinished
        for purpose in (_layout.SOURCE, _layout.BUILD):
            _sandbox.stop(_layout.build_unit(purpose, spec.app["name"]))
        for name in os.listdir(builds):
            if NAME.fullmatch(name) and read_stamp(os.path.join(builds, name)) is None:
                _files.remove(os.path.join(builds, name))
        try:
            unread = _assemble(spec, path)
            _finish(spec.app, path, {**_new_stamp(spec), "unread": unread})
        except BaseException:
            with contextlib.suppress(OSError):  # the next run removes what is left then
                _files.remove(path)
            raise
    return True


def unpublished(app: App, stamp: Mapping[str, Any]) -> list[str]:
    """The static directories that a build does not let everybody read yet."""
    return sorted({static["directory"] for static in app["static"] if static["directory"]} - set(stamp["static"]))


def _assemble(spec: BuildSpec, path: str) -> str:
    """Make a build without its stamp, and return what the user is told of files that are not read, see ``Choice.unread``."""
    group = grp.getgrnam(spec.app["group"]).gr_gid
    source, venv = os.path.join(path, "source"), os.path.join(path, "venv")
    os.mkdir(path)
    os.chown(path, 0, group)
    os.chmod(path, DIRECTORY_MODE)
    BOARD.does("fetches its code")
    _fetch(spec, source, group)
    shared = spec.app["shared_paths"]
    if spec.kind != "package":
        _overlay.Source(source).lay(spec.files)
        _overlay.Source(source).make_directories(shared)
    choice = choose(spec.app, source, "uv" if spec.uv else "pip")
    environment = {**_variables.of_source(spec.app, source, finished=False), **(spec.secrets.get("environment") or {})}
    build_environment = spec.secrets.get("build_environment") or {}
    os.mkdir(venv, 0o700)
    key = spec.secrets.get("deploy_key")
    if key and not uses_ssh(source, os.path.normpath(os.path.join(source, spec.app["working_directory"])), choice):
        key = None  # what is installed runs code of its own, which could read it
    installer = Installer(spec.app, spec.python, path, build_environment, spec.uv, key)
    BOARD.does("installs its requirements")
    installer.install(choice)
    top = source
    if spec.kind == "package":
        top = _site_packages(venv)
        code = _overlay.Source(venv, os.path.relpath(top, venv))
        code.lay(spec.files)
        code.make_directories(shared)
    if spec.app["build_commands"]:
        directory = os.path.normpath(os.path.join(top, spec.app["working_directory"]))
        hidden = _redact.of_files(spec.files)
        _commands.execute(spec.app, path, directory, environment, build_environment, installer.sandbox, hidden)
    BOARD.does("compiles its code")
    installer.finish()
    for each in [venv] if spec.kind == "package" else [venv, source]:
        _permissions.take_over(each, group)
    code = _overlay.Source(source)
    if spec.kind == "package":
        below = os.path.relpath(_site_packages(venv), venv)
        code = _overlay.Source(venv, below)
        os.symlink(os.path.join("venv", below), source)
    if shared:
        kept = spec.layout.kept(path)
        os.mkdir(kept)
        os.chown(kept, 0, group)
        os.chmod(kept, DIRECTORY_MODE)
        code.share(shared, spec.layout.shared, kept)
    return choice.unread


def _fetch(spec: BuildSpec, source: str, group: int) -> None:
    if spec.kind == "directory":
        _directory.unpack(spec.archive or "", source)
    elif spec.kind == "git":
        os.mkdir(source, 0o700)
        repository = _git.Repository(spec.app, spec.secrets.get("deploy_key"))
        repository.fetch(spec.revision, spec.app["source"]["version"] == spec.revision, source)
        _permissions.take_over(source, group)


def _site_packages(venv: str) -> str:
    found = glob.glob(os.path.join(glob.escape(venv), "lib/*/site-packages"))  # lib/python3.13, python3.13t, pypy3.11
    if not found:
        raise StackError("install", "the virtual environment has no site-packages; name another python.")
    return found[0]


def _new_stamp(spec: BuildSpec) -> dict[str, Any]:
    return {
        "app": spec.app["name"],
        "digest": spec.digest,
        "kind": spec.kind,
        "revision": spec.revision,
        "python": spec.python["version"],
        "installer": "uv" if spec.uv else "pip",
        "made": int(time.time()),
        "static": [],
    }


def _check_secret(app: App, build: str, directory: str) -> None:
    """Make sure that none of the app's ``files`` is in a directory that everybody will be able to read.

    :raises StackError: one is
    """
    published = _permissions.resolve(build, build, os.path.join("source", directory))
    for path in app["files"]:
        found = _permissions.resolve(build, build, os.path.join("source", path))
        if published and found and found.startswith(published + os.sep):
            cause = f"{path} is in the static directory {directory}, which nginx serves to everybody; move one of the two"
            raise StackError("files", f"{cause}. The running release is unchanged.")


def _finish(app: App, path: str, stamp: Mapping[str, Any]) -> None:
    directories = unpublished(app, stamp)
    for directory in directories:
        _check_secret(app, path, directory)
        _permissions.publish(path, directory)
    # Or a power failure could leave the stamp and not what it stands for.
    synced = run(["sync", "--file-system", path])
    if synced.code:
        raise StackError("build", f"sync: {synced.last_line}.", synced.output)
    text = json.dumps({**stamp, "static": sorted({*stamp["static"], *directories})}, indent=2)
    group = str(os.stat(path).st_gid)
    _files.write(os.path.join(path, STAMP), _files.File(text, 0o640, group=group), sync=True)
