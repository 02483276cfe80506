# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Files and symbolic links: read them, and replace them atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from dataclasses import dataclass
from typing import Union

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

TEMPORARY = ".wsgi-stack.tmp"
"""The suffix of temporary files. They lie in the directory of the file that they replace, so that the rename is atomic, and their
names begin with a dot, which globs and programs that scan a directory pass over."""


FULL = (errno.ENOSPC, errno.EDQUOT)

NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes")
"""What programs say when the disk is full, the last one tar; often not in their last line."""


@dataclass(frozen=True)
class File:
    """A regular file.

    :ivar content: its text; bytes that are not UTF-8 are kept as surrogates
    :ivar mode: permission bits
    :ivar owner: the name of a user, or its number as text if it has no name; ``group`` likewise
    """

    content: str
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class Link:
    """A symbolic link with its target as it is written in the link, relative or absolute."""

    target: str


@dataclass(frozen=True)
class Other:
    """Neither a regular file nor a symbolic link.

    :ivar kind: what it is, with its article: ``a directory``
    """

    kind: str


Item = Union[File, Link, Other]


def read(path: str) -> Item | None:
    """What is at a path, links not followed; None if nothing is.

    :raises OSError: it cannot be read
    """
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return Link(os.readlink(path))
        if not stat.S_ISREG(found.st_mode):
            return Other("a directory" if stat.S_ISDIR(found.st_mode) else "a device, a pipe or a socket")
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            content = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    owner, group = _accounts.user_name(found.st_uid), _accounts.group_name(found.st_gid)
    return File(content, stat.S_IMODE(found.st_mode), owner, group)


def text_of(path: str, size: int = 65536) -> str:
    """The text of a file, "" if it cannot be read. Links are followed.

    :param size: maximum number of characters, -1 for no limit; the path may come from someone else's configuration
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(size)
    except OSError:
        return ""


def temporary(path: str) -> str:
    """The file that ``write`` makes first; a run that was killed may leave it."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}{TEMPORARY}")


def write(path: str, item: Item, sync: bool = False) -> None:
    """Create or replace a file or a link atomically: with a temporary one that is renamed.

    Only root can give a file to another user: run by anyone else, the file belongs to that user.

    :param sync: write a file's content to the disk before the rename, so that a power failure leaves the old file or the new one
    :raises OSError: it cannot be written, or its user or group does not exist
    """
    draft = temporary(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft)  # of a run that was killed
    try:
        _draft(draft, item, sync)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # writing does not say to which file
            raise OSError(error.errno, error.strerror, path) from None
        raise
    os.rename(draft, path)


def _draft(draft: str, item: Item, sync: bool) -> None:
    if isinstance(item, Link):
        os.symlink(item.target, draft)
    elif isinstance(item, File):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(item.content)
            if os.geteuid() == 0:
                missing = missing_account(item)
                if missing:
                    raise FileNotFoundError(errno.ENOENT, f"{missing} is not there")
                os.fchown(descriptor, _accounts.uid_of(item.owner), _accounts.gid_of(item.group))
            os.fchmod(descriptor, item.mode)
            if sync:
                stream.flush()
                os.fsync(descriptor)


def replace_link(target: str, path: str) -> None:
    """Create a symbolic link, or swap an existing one atomically.

    :param target: what is written in the link; relative to the link's directory, or absolute
    :raises OSError: it cannot be made, or there is a directory at the path
    """
    write(path, Link(target))


def missing_account(item: Item) -> str | None:
    """The user or group that a file is to belong to and that does not exist, as ``the user NAME``."""
    if isinstance(item, File):
        for what, look_up, name in (("the user", _accounts.uid_of, item.owner), ("the group", _accounts.gid_of, item.group)):
            try:
                look_up(name)
            except KeyError:
                return f"{what} {name}"
    return None


def remove(path: str) -> None:
    """Remove a file, a symlink, or a directory with all that is in it, if it exists. No symlink is followed.

    :raises OSError: something of it cannot be removed
    """
    if not os.path.isdir(path) or os.path.islink(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    # Not shutil's: directories can be nested deeper than Python recurses.
    done = run(["rm", "-rf", "--one-file-system", "--", path])
    if done.code:
        raise OSError(errno.EBUSY, done.last_line or "rm failed", path)


def no_space(path: str) -> str:
    """What is wrong, and what to do, if something cannot be written to a path for lack of space."""
    return f"No space left on device: {path}, on the file system at {mount_point(path)}; free some and run the play again."


def mount_point(path: str) -> str:
    """Where the file system is mounted that a path is on."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path
