# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Gives a build to root, and lets nginx read its static directories. Nothing in it is believed: no link is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build._copy import Copy
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files

STEPS = 256
"""Components of a path and of the symlinks on it that are looked at, at most: each costs root a system call."""


def take_over(path: str, gid: int) -> None:
    """Replace a directory by a copy that belongs to root, is readable by the app's group and writable by nobody else.

    :param gid: the app's group
    :raises StackError: it has what no build has
    """
    copy = f"{path}.new"
    Copy(path, copy, gid).make()
    _files.remove(path)
    os.rename(copy, path)


def publish(build: str, directory: str) -> None:
    """Let everybody read a directory of a finished build. Its symlinks have to stay inside it.

    :param directory: relative to the source
    :raises StackError: it is missing, or a symlink leads out of the build or out of the directory, or takes too many steps
    """
    path = resolve(build, build, os.path.join("source", directory))
    if path is None:
        raise StackError("static", f"the symlink {directory} leads outside the source; put the files into the source.")
    if not os.path.isdir(path):
        raise StackError(
            "static",
            f"the source has no directory {directory}; correct static.directory, or add the directory to the source.",
        )
    for entry in _entries(path):
        if entry.is_symlink():
            _check_symlink(build, path, directory, entry)
    os.chmod(path, 0o755)
    for entry in _entries(path):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o755)
        elif entry.is_file(follow_symlinks=False):
            os.chmod(entry.path, 0o644)


def _check_symlink(build: str, path: str, directory: str, link: os.DirEntry[str]) -> None:
    end = resolve(build, os.path.dirname(link.path), link.name)
    if end is None or not _inside(end, path):
        shown = os.path.normpath(os.path.join(directory, os.path.relpath(link.path, path)))
        raise StackError(
            "static",
            f"{shown} is a symlink to {os.readlink(link.path)}, outside the static directory {directory};"
            " put the file there instead, or remove the symlink.",
        )


def _entries(directory: str) -> Iterator[os.DirEntry[str]]:
    """What is below a directory. Neither os.walk nor os.fwalk goes as deep as directories can be nested.

    :raises OSError: there may be more
    """
    todo = [directory]
    while todo:
        with os.scandir(todo.pop()) as found:
            entries = list(found)
        yield from entries
        todo += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _is_symlink(path: str) -> bool:
    """As ``os.path.islink``, which says no where the path is too long."""
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def resolve(build: str, start: str, path: str) -> str | None:
    """What a path leads to if all of it is inside the build, where nobody can replace anything any more.

    What leaves the build and returns is not followed: others could send it elsewhere later.

    :param start: the directory from which a relative path goes on; it has no symlinks below the build
    :returns: None if it leaves the build
    :raises OSError: it is too long
    :raises StackError: it takes too many steps
    """
    here, todo = start, _parts(build, path)
    steps = len(todo)
    while todo:
        part = todo.pop(0)
        here = build if part == build else os.path.normpath(os.path.join(here, part))
        if not _inside(here, build):
            return None
        if _is_symlink(here):
            target = _parts(build, os.readlink(here))
            steps += len(target)
            if steps > STEPS:
                shown = os.path.relpath(os.path.join(start, path), build)
                cause = f"the symlink {shown} leads through more than {STEPS} directories and symlinks"
                raise StackError("static", f"{cause}; replace it with one to the file itself.")
            todo[:0] = target
            here = os.path.dirname(here)
    return here


def _parts(build: str, path: str) -> list[str]:
    """The components of a path; the first one is ``build`` if the path begins there, or ``/`` if it is another absolute path."""
    if _inside(path, build):
        return [build, *path[len(build) :].split("/")]
    return ["/"] * path.startswith("/") + path.split("/")


def _inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + os.sep)
