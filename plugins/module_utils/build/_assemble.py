# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes one build: fetch, install, compile, give it to root, stamp. A build that fails is removed."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pwd
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _directory, _git, _permissions
from ansible_collections.wsgi.stack.plugins.module_utils.build._installers import Installer, choose
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked

STAMP = "build.json"
"""The file that is written last: a build without it is what a killed run left."""

NAME = re.compile(r"[0-9a-f]{16}")
"""What a build is called."""

COMPILE_TIMEOUT = 600  # seconds


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
    def layout(self) -> _layout.Layout:
        return _layout.of(self.app)


def make(spec: BuildSpec) -> bool:
    """Make a build unless it exists, and let nginx read its static directories.

    :returns: whether there was anything to do; another run may have done it in the meantime
    :raises StackError: it cannot be made; what was made of it is removed
    """
    builds, cache = spec.layout.builds, spec.layout.cache
    if not os.path.isdir(builds) or not os.path.isdir(cache):
        raise StackError("user", f"there is no {builds} or no {cache}; the role wsgi.stack.app makes them.")
    path = spec.layout.build(spec.digest)
    with locked(builds):
        stamp = read_stamp(path)
        if stamp is not None:
            unfinished = bool(unpublished(spec.app, stamp))
            if unfinished:
                _finish(spec.app, path, stamp)
            return unfinished
        for name in os.listdir(builds):
            if NAME.fullmatch(name) and read_stamp(os.path.join(builds, name)) is None:
                _remove(os.path.join(builds, name))
        try:
            _assemble(spec, path)
            _finish(spec.app, path, _new_stamp(spec))
        except BaseException:
            with contextlib.suppress(OSError):  # the next run removes what is left then
                _remove(path)
            raise
    return True


def unpublished(app: App, stamp: Mapping[str, Any]) -> list[str]:
    """The static directories that a build does not let everybody read yet."""
    return sorted({static["directory"] for static in app["static"]} - set(stamp["static"]))


def read_stamp(path: str) -> dict[str, Any] | None:
    """What ``build.json`` of a build says, if the build is complete."""
    try:
        with open(os.path.join(path, STAMP), encoding="utf-8") as stream:
            return json.load(stream)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _assemble(spec: BuildSpec, path: str) -> None:
    user = spec.app["user"]
    account = pwd.getpwnam(user)
    source, venv = os.path.join(path, "source"), os.path.join(path, "venv")
    os.mkdir(path)
    os.chown(path, 0, account.pw_gid)
    os.chmod(path, _permissions.DIRECTORY_MODE)
    _fetch(spec, source)
    choice = choose(spec.app, source, "uv" if spec.uv else "pip")
    os.mkdir(venv)
    ours = [venv] if spec.kind == "package" else [venv, source]
    _check(["chown", "--recursive", "--no-dereference", f"{account.pw_uid}:{account.pw_gid}", *ours])
    Installer(spec.app, spec.python, path, spec.secrets.get("build_environment") or {}, spec.uv).install(choice)
    if spec.kind == "git":
        _check(["find", source, "-name", ".git", "-prune", "-exec", "rm", "-rf", "{}", "+"], user)
    if spec.kind != "package":
        # A file that is no Python of this version is not an error: it may be a template, or a test.
        run([os.path.join(venv, "bin/python"), "-m", "compileall", "-qq", source], user=user, timeout=COMPILE_TIMEOUT)
    for directory in ours:
        _permissions.take_over(directory, account.pw_uid, account.pw_gid)
    if spec.kind == "package":
        os.symlink(os.path.relpath(_site_packages(venv), path), source)


def _fetch(spec: BuildSpec, source: str) -> None:
    if spec.kind == "directory":
        _directory.unpack(spec.archive or "", source)
    elif spec.kind == "git":
        with _git.access(spec.app["source"], spec.secrets.get("deploy_key")) as repository:
            mirror = spec.layout.repository
            repository.fetch(mirror, spec.revision, certain=spec.app["source"]["version"] == spec.revision)
            repository.checkout(mirror, spec.revision, source)


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


def _finish(app: App, path: str, stamp: Mapping[str, Any]) -> None:
    directories = unpublished(app, stamp)
    for directory in directories:
        _permissions.publish(path, directory)
    _check(["sync", "--file-system", path])  # or a power failure could leave the stamp and not what it stands for
    text = json.dumps({**stamp, "static": sorted({*stamp["static"], *directories})}, indent=2)
    group = str(os.stat(path).st_gid)
    _files.write(os.path.join(path, STAMP), _files.File(text, 0o640, group=group), sync=True)


def _remove(path: str) -> None:
    """Remove what a build has become so far, while something that it started may still be writing there."""
    for _attempt in range(3):
        with contextlib.suppress(OSError):
            _files.remove(path)
    _files.remove(path)


def _check(argv: Sequence[str], user: str | None = None) -> str:
    completed = run(argv, user=user)
    if completed.code:
        raise StackError("build", f"{argv[0]}: {completed.last_line}.", completed.output)
    return completed.last_line if completed.output.strip() else ""
