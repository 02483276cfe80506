# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Files that other users than root can replace: read so that whatever is there can neither mislead, block nor flood root.

Everything below a directory that a user other than root can write to is opened here and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator
from typing import Callable

LIMIT = 1 << 20
"""Bytes that are read of a file at most, unless the caller says otherwise."""

MANAGED = "Managed by wsgi.stack"
"""What files of the collection begin with, in a comment."""

CONFIGURATION, LINE = 1 << 16, 2000
"""Bytes that are read of a configuration at most, and characters of a line."""

ENTRIES = 10000
"""Names that are read of a directory at most."""

LINKS = 40
"""Symlinks that are followed at most on the way to a file, as in the kernel (path_resolution(7))."""


class UntrustedFileError(OSError):
    """What is at a path is not a file that root may read: reached by somebody else's symlink, or no regular file."""


def read(path: str, limit: int = LIMIT) -> bytes:
    """The first bytes of a file.

    A symlink that root alone could not have made is followed only to a file of the same user, as by Apache's
    SymLinksIfOwnerMatch. Opening never blocks, and never starts anything.

    :param path: an absolute path
    :param limit: bytes to read at most
    :raises UntrustedFileError: it is not a regular file, or a symlink of somebody else than its owner leads there
    :raises OSError: it is not there, or cannot be read
    """
    descriptor = _open(path)
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(limit)


def text(path: str, limit: int = LIMIT) -> str:
    """``read`` as text; what is no UTF-8 is replaced."""
    return read(path, limit).decode("utf-8", "replace")


def text_or_none(path: str, limit: int = LIMIT) -> str | None:
    """``text``, or None for whatever reason it cannot be read."""
    try:
        return text(path, limit)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None


def configuration(path: str) -> str:
    """The text of a configuration file, "" if it cannot be read. Lines that are too long to be searched fast are left out."""
    text = text_or_none(path, CONFIGURATION)
    return "".join(f"{line}\n" for line in text.split("\n") if len(line) <= LINE) if text else ""


def is_managed(path: str) -> bool:
    """Whether a file says in its first lines that the collection wrote it."""
    return MANAGED in configuration(path)[:200]


def tail(path: str, size: int) -> str:
    """The end of a file, "" if it cannot be read. What is no UTF-8 is kept as surrogates, so that no byte is lost.

    :param size: in bytes; of a longer file the first line may be incomplete
    """
    try:
        with os.fdopen(_open(path), "rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, end - size))
            return stream.read(size).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return ""


def entries(path: str, limit: int = ENTRIES) -> list[str]:
    """The names in a directory, sorted; [] if it cannot be read. Symlinks on the way are followed as ``read`` does.

    :param limit: names that are read at most
    """
    try:
        descriptor = _open(path, stat.S_ISDIR)
    except (OSError, ValueError):
        return []
    try:
        with os.scandir(descriptor) as found:
            return sorted(entry.name for entry in itertools.islice(found, limit))
    except OSError:
        return []
    finally:
        os.close(descriptor)


def files_below(directory: str, depth: int, skip: Callable[[str, str], bool]) -> Iterator[tuple[str, float]]:
    """The regular files below a directory, each with its modification time in seconds since the epoch. No symlink is followed.

    :param depth: directories below one another that are entered at most
    :param skip: whether to leave out a directory, given the path of the one that it is in, and its name
    """
    waiting = [(directory, 0)]
    while waiting:
        path, level = waiting.pop()
        for name in entries(path):
            with contextlib.suppress(OSError):
                found = os.lstat(os.path.join(path, name))
                if stat.S_ISREG(found.st_mode):
                    yield os.path.join(path, name), found.st_mtime
                elif stat.S_ISDIR(found.st_mode) and level < depth and not skip(path, name):
                    waiting.append((os.path.join(path, name), level + 1))


def trusted(found: os.stat_result) -> bool:
    """Whether nobody but root can make, remove or replace an entry of a directory."""
    return found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def is_roots_alone(path: str) -> bool:
    """Whether nobody but root can change or replace what is at a path: not by its own mode, nor by that of a directory above it.

    :param path: an absolute path without symlinks
    """
    try:
        while trusted(os.lstat(path)):
            if path == "/":
                return True
            path = os.path.dirname(path)
    except (OSError, ValueError):
        pass
    return False


def _open(path: str, wanted: Callable[[int], bool] = stat.S_ISREG) -> int:
    """Open a file for reading, component by component.

    Each directory is held open while its entry is looked up, so nobody can swap one for another in between.

    :param wanted: whether a mode is that of the kind of file that is looked for
    """
    if not os.path.isabs(path):
        raise UntrustedFileError(errno.EINVAL, "Not an absolute path", path)
    followed = 0
    makers: set[int] = set()  # of the symlinks that others than root could have made
    todo = [part for part in path.split("/") if part]
    here = [os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        while todo:
            part = todo.pop(0)
            if part == ".":
                continue
            if part == "..":
                if len(here) > 1:
                    os.close(here.pop())
                continue
            found = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here[-1])
            here.append(found)
            mode = os.fstat(found).st_mode
            if stat.S_ISLNK(mode):
                if not trusted(os.fstat(here[-2])):
                    makers.add(os.fstat(found).st_uid)
                followed += 1
                if followed > LINKS:
                    raise UntrustedFileError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = os.readlink("", dir_fd=found)
                os.close(here.pop())
                if target.startswith("/"):
                    while len(here) > 1:
                        os.close(here.pop())
                todo[:0] = [name for name in target.split("/") if name]
            elif todo and not stat.S_ISDIR(mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        end = os.fstat(here[-1])
        if makers - {end.st_uid}:
            raise UntrustedFileError(errno.ELOOP, "A symlink to a file of another user", path)
        if not wanted(end.st_mode):
            raise UntrustedFileError(errno.EINVAL, "Not a regular file" if wanted is stat.S_ISREG else "Not a directory", path)
        # O_PATH gives no access to the content; this opens the very file that was looked at, whatever its name leads to by now.
        return os.open(f"/proc/self/fd/{here[-1]}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        for descriptor in here:
            os.close(descriptor)
