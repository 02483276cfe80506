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

LINKS = 40
"""Symlinks that are followed at most on the way to a file, as in the kernel (path_resolution(7))."""


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
    :raises StackError: it is missing, or a symlink leads out of the build or out of the directory
    """
    path = _resolve(build, build, os.path.join("source", directory))
    if path is None:
        outside = os.path.realpath(os.path.join(build, "source", directory))
        raise StackError(
            "static",
            f"the directory {directory} is a symlink to {outside}, outside the source; put the files into the source.",
        )
    if not os.path.isdir(path):
        raise StackError(
            "static",
            f"the source has no directory {directory}; correct static.directory, or add the directory to the source.",
        )
    for parent, name, target in _symlinks(path):
        end = _resolve(build, parent, target)
        if end is None or not _inside(end, path):
            link = os.path.normpath(os.path.join(directory, os.path.relpath(parent, path), name))
            raise StackError(
                "static",
                f"{link} is a symlink to {target}, outside the static directory {directory};"
                " put the file there instead, or remove the symlink.",
            )
    for _path, _directories, files, descriptor in os.fwalk(path):
        os.fchmod(descriptor, 0o755)
        for name in files:
            if stat.S_ISREG(os.lstat(name, dir_fd=descriptor).st_mode):
                os.chmod(name, 0o644, dir_fd=descriptor)


def _symlinks(directory: str) -> Iterator[tuple[str, str, str]]:
    """The symlinks below a directory: where each is, its name and its target.

    :raises OSError: there may be more, where the path is too long
    """
    for path, directories, files, descriptor in os.fwalk(directory, onerror=_fail):
        for name in (*directories, *files):
            if stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode):
                yield path, name, os.readlink(name, dir_fd=descriptor)


def _fail(error: OSError) -> None:
    raise error


def _is_symlink(path: str) -> bool:
    """As ``os.path.islink``, which says no where the path is too long."""
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _resolve(build: str, start: str, path: str) -> str | None:
    """What a path leads to if all of it is inside the build, where nobody can replace anything any more.

    What leaves the build and returns is not followed: others could send it elsewhere later.

    :param start: the directory from which a relative path goes on; it has no symlinks below the build
    :returns: None if it leaves the build, or never ends
    :raises OSError: it is too long
    """
    here, todo, followed = start, _parts(build, path), 0
    while todo:
        part = todo.pop(0)
        here = build if part == build else os.path.normpath(os.path.join(here, part))
        if not _inside(here, build):
            return None
        if _is_symlink(here):
            followed += 1
            if followed > LINKS:
                return None
            todo[:0] = _parts(build, os.readlink(here))
            here = os.path.dirname(here)
    return here


def _parts(build: str, path: str) -> list[str]:
    """The components of a path; the first one is ``build`` if the path begins there, or ``/`` if it is another absolute path."""
    if _inside(path, build):
        return [build, *path[len(build) :].split("/")]
    return ["/"] * path.startswith("/") + path.split("/")


def _inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + os.sep)
