# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What is to be installed for an app, by its keys and by the files that its source has."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted

TEXT_BYTES = 16 << 20
"""Bytes of a project's or a requirements file at most."""

UV_LOCK, PYLOCK = "uv.lock", "pylock.toml"

UNREAD = {
    UV_LOCK: "set app_installer: uv",
    PYLOCK: "set app_installer: uv",
    "poetry.lock": "write them to a file with 'poetry export', and name that in requirements",
    "Pipfile.lock": "write them to a file with 'pipenv requirements', and name that in requirements",
    "pdm.lock": "write them to a file with 'pdm export', and name that in requirements",
}
"""Files with the versions that a project was tried with, and how to install these where the file is not read."""

UNREAD_ALONE = {
    "Pipfile": "write its packages to requirements.txt",
    "environment.yml": "write its packages to requirements.txt",
    "environment.yaml": "write its packages to requirements.txt",
}
"""Files that may say what an app needs, and are not read. They often lie beside files that are."""

SSH = re.compile(r"ssh://|\bgit@[\w.-]+[:/]")
"""What the URL of a repository behind SSH has in it."""

INCLUDED = re.compile(r"^[ \t]*(?:-[rc]|--requirement|--constraint)[ \t=]*([^\s#]+)", re.MULTILINE)
"""What a requirements file says of another one."""


@dataclass(frozen=True)
class Choice:
    """What is to be installed.

    :param lock: what ``uv.lock`` pins, the project itself among it
    :param pylocks: files as ``pylock.toml``, absolute paths
    :param files: requirement files, absolute paths
    :param directories: local projects, absolute paths
    :param project: ``whole`` if the working directory is a project to build and install, ``dependencies`` if it declares
        dependencies and is run from where it lies
    :param extras: of the project
    :param groups: of the project's dependencies (PEP 735)
    :param requirements: requirements as such
    :param unread: what the user is told of a file that is not read; "" for nothing
    """

    lock: bool = False
    pylocks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    project: str = ""
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    unread: str = ""


def choose(app: App, source: str, installer: str) -> Choice:
    """Decide by the app's keys and by the files that its source has.

    ``requirements`` name all that is installed of the source, in a directory the project that it is. Without them, these are, of
    the working directory: ``uv.lock`` or ``pylock.toml`` if the installer is uv, else ``requirements.txt``; and the project that
    it is, unless ``uv.lock`` has it. In addition ``packages``.
    """
    packages = additions(app)
    if app["source"]["kind"] == "package":
        if app["requirements"]:
            fix = "remove requirements, or list what is needed in packages"
            raise StackError(
                "source",
                f"requirements: {app['requirements'][0]} is a file of the source, and source.package has none; {fix}.",
            )
        return Choice(requirements=(str(app["source"]["package"]), *packages))
    directory = os.path.normpath(os.path.join(source, app["working_directory"]))
    if not os.path.isdir(directory):
        raise StackError("source", f"working_directory: the source has no directory {app['working_directory']}; correct it.")
    extras, groups = tuple(app["extras"]), tuple(app["groups"])
    if app["requirements"] is None:
        if installer == "uv" and os.path.isfile(os.path.join(directory, UV_LOCK)):
            return Choice(lock=True, requirements=packages, extras=extras, groups=groups)
        known = [*([PYLOCK] if installer == "uv" else []), "requirements.txt"]
        paths = [path for name in known if os.path.isfile(path := os.path.join(directory, name))][:1]
        project = project_kind(source, directory)
    else:
        paths = _named(app, source, app["requirements"])
        project = project_kind(source, directory) if directory in paths else ""
    directories = tuple(path for path in paths if os.path.isdir(path) and not (project and path == directory))
    files = tuple(path for path in paths if not os.path.isdir(path))
    pylocks = tuple(path for path in files if is_pylock(path))
    if pylocks and installer != "uv":
        raise StackError("source", f"requirements: pip does not read {os.path.basename(pylocks[0])}; set app_installer: uv.")
    for key, names in (("extras", extras), ("groups", groups)):
        if names and not project:
            lacks = f"{names[0]} would be of a project in working_directory, {app['working_directory']}, and none is installed"
            fix = f"name that directory in requirements if it is one, or remove {key} and list in packages what is needed"
            raise StackError("source", f"{key}: {lacks} from there; {fix}.")
    return Choice(
        pylocks=pylocks,
        files=tuple(path for path in files if path not in pylocks),
        directories=directories,
        project=project,
        extras=extras,
        groups=groups,
        requirements=packages,
        unread="" if app["requirements"] is not None else _unread(app, directory, paths, project),
    )


def _named(app: App, source: str, names: list[str]) -> list[str]:
    """The paths of ``requirements``.

    :raises StackError: one is not there
    """
    paths = [os.path.normpath(os.path.join(source, name)) for name in names]
    for name, path in zip(names, paths):
        if not os.path.exists(path):
            beside = os.path.join(app["working_directory"], name)
            hint = f"; there is {beside}" if os.path.exists(os.path.join(source, beside)) else ""
            raise StackError(
                "source", f"requirements: the source has no {name}{hint}; paths begin at the source's top, correct it."
            )
    return paths


def _unread(app: App, directory: str, read: list[str], project: str) -> str:
    """What the user is told of a file that is there and not read; "" for nothing."""
    fixes = {} if any(map(is_pylock, read)) else {**UNREAD, **({} if read or project else UNREAD_ALONE)}
    name = next((name for name in fixes if os.path.isfile(os.path.join(directory, name))), "")
    if not name:
        return ""
    instead = f"; {os.path.basename(read[0])} is read instead, name it in requirements to confirm that" if read else ""
    what = "the versions" if name in UNREAD else "what is"
    return f"app {app['name']}: {name} is not read{instead}; to install {what} in it, {fixes[name]}."


def is_pylock(path: str) -> bool:
    """Whether a file is named as a lock file of PEP 751. Pure."""
    return re.fullmatch(r"pylock\.(?:[^.]+\.)?toml", os.path.basename(path)) is not None


def additions(app: App) -> tuple[str, ...]:
    """Requirements beside those of the source: ``packages``, and what the app's server needs in the build."""
    return (*app["packages"], *_registry.server(app["stack"]).requirements(app))


def project_kind(source: str, directory: str) -> str:
    """``whole``, ``dependencies`` or nothing, see ``Choice``.

    A ``pyproject.toml`` without a build system is often there for the settings of linters and nothing else.
    """
    pyproject = source_text(source, os.path.join(directory, "pyproject.toml"))
    says_no = re.search(r"^[ \t]*package-mode[ \t]*=[ \t]*false", _table(pyproject, r"tool\.poetry"), re.MULTILINE)
    says_no = says_no or re.search(r"^[ \t]*package[ \t]*=[ \t]*false", _table(pyproject, r"tool\.uv"), re.MULTILINE)
    builds = _has_table(pyproject, "build-system") or os.path.isfile(os.path.join(directory, "setup.py"))
    if builds and not says_no:
        return "whole"
    return "dependencies" if _has_table(pyproject, "project") else ""


def uses_ssh(source: str, directory: str, choice: Choice) -> bool:
    """Whether something that is to be installed may be in a repository behind SSH.

    :param directory: the working directory
    """
    if any(map(SSH.search, choice.requirements)):
        return True
    projects = [directory] if choice.lock or choice.project else []
    names = ("pyproject.toml", "setup.py", "setup.cfg", UV_LOCK)
    waiting = [os.path.join(path, name) for path in (*projects, *choice.directories) for name in names]
    waiting += [*choice.files, *choice.pylocks]
    seen: set[str] = set()
    while waiting:
        path = os.path.normpath(waiting.pop())
        if path in seen or not path.startswith(source + os.sep):
            continue
        seen.add(path)
        text = source_text(source, path)
        if SSH.search(text):
            return True
        waiting += [os.path.join(os.path.dirname(path), name) for name in INCLUDED.findall(text)]
    return False


def source_text(source: str, path: str) -> str:
    """The text of a file of a source that is root's by now; "" if there is none.

    :raises StackError: it is not a file of the source, or far too large
    """
    top, real = os.path.realpath(source), os.path.realpath(path)
    shown = os.path.relpath(path, source)
    if not os.path.lexists(path):
        return ""
    if not real.startswith(top + os.sep):
        raise StackError("source", f"{shown} is a symlink to {real}, outside the source; put the file into the source.")
    try:
        text = _untrusted.text(real, TEXT_BYTES + 1)
    except OSError as error:
        raise StackError("source", f"{shown} cannot be read ({error.strerror}); correct the source.") from None
    if len(text) > TEXT_BYTES:
        raise StackError("source", f"{shown} has more than {TEXT_BYTES >> 20} MiB; correct the source.")
    return text


def _has_table(text: str, name: str) -> bool:
    return re.search(rf"^[ \t]*\[[ \t]*{name}[ \t]*\]", text, re.MULTILINE) is not None


def _table(text: str, name: str) -> str:
    """What follows the head of a table of a TOML file, up to the next one. Pure.

    :param name: a pattern
    """
    found = re.search(rf"^[ \t]*\[[ \t]*{name}[ \t]*\]", text, re.MULTILINE)
    return re.split(r"^[ \t]*\[", text[found.end() :], maxsplit=1, flags=re.MULTILINE)[0] if found else ""
