# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that other users than root can replace: read so that whatever is there can neither mislead, block nor flood root.

Everything below a directory that a user other than root can write to is opened here and nowhere else.
"""

from __future__ import annotations

import errno
import os
import stat

LIMIT = 1 << 20
"""Bytes that are read of a file at most, unless the caller says otherwise."""

LINKS = 40
"""Symlinks that are followed at most on the way to a file, as in the kernel (path_resolution(7))."""


class UntrustedFileError(OSError):
    """What is at a path is not a file that root may read: a symlink that root did not make, or no regular file."""


def read(path: str, limit: int = LIMIT) -> bytes:
    """The first bytes of a file.

    A symlink is followed only where root alone could have made it. Opening never blocks, and never starts anything.

    :param path: an absolute path
    :param limit: bytes to read at most
    :raises UntrustedFileError: it is not a regular file, or a symlink of another user leads there
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


def trusted(found: os.stat_result) -> bool:
    """Whether nobody but root can make, remove or replace an entry of a directory."""
    return found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _open(path: str) -> int:
    """Open a file for reading, component by component.

    Each directory is held open while its entry is looked up, so nobody can swap one for another in between.
    """
    if not os.path.isabs(path):
        raise UntrustedFileError(errno.EINVAL, "Not an absolute path", path)
    followed = 0
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
                    raise UntrustedFileError(errno.ELOOP, "A symlink in a directory that is not root's alone", path)
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
        if not stat.S_ISREG(os.fstat(here[-1]).st_mode):
            raise UntrustedFileError(errno.EINVAL, "Not a regular file", path)
        # O_PATH gives no access to the content; this opens the very file that was looked at, whatever its name leads to by now.
        return os.open(f"/proc/self/fd/{here[-1]}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        for descriptor in here:
            os.close(descriptor)
