# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Copies what a build has made, so that all of it is root's: new inodes, which nobody has open.

The processes of the build have ended, but others may have got descriptors of its files and directories from them (unix(7)), and
can use these as long as they like. So each directory is closed to everybody before root looks into it, and each file may change
until it has been copied.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files

DIRECTORY_MODE = 0o751
"""The app may read, and nginx may pass through to what ``_permissions.publish`` opens."""

NO_COPY_FILE_RANGE = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EXDEV)
"""Why copy_file_range(2) does not work on a file system."""


class Copy:
    """The copy of one directory, without extended attributes, ACLs, setuid bits, sockets, pipes and devices.

    What has been copied is removed, so that the disk need not hold a build twice.

    :param source: the directory, in one that is root's
    :param target: the path of the copy
    :param gid: the group that may read it
    """

    def __init__(self, source: str, target: str, gid: int):
        self.source = source
        self.target = target
        self.gid = gid
        self.uid = os.lstat(source).st_uid  # a file of somebody else is a hard link to one elsewhere, or was put there
        self.copied: dict[tuple[int, int], str] = {}  # the files that have several names

    def make(self) -> None:
        """Copy it.

        :raises StackError: it has what no build has
        """
        directories = []
        todo = [(self.source, self.target)]
        while todo:
            source, target = todo.pop()
            try:
                directories.append((target, self._begin(source, target)))
                todo += self._fill(source, target)
            except OSError as error:
                if error.errno in _files.FULL:
                    raise StackError("build", _files.no_space(self.target)) from None
                if error.errno != errno.ENAMETOOLONG:
                    raise
                cause = f"it leaves directories in {self.source} that are nested too deeply"
                raise StackError("build", f"{cause}; correct what makes them, such as its setup.py.") from None
        for target, status in reversed(directories):
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _begin(self, source: str, target: str) -> os.stat_result:
        """Let nobody change a directory any more, and make its copy."""
        status = os.lstat(source)
        self._check(source, status)
        os.chown(source, 0, 0, follow_symlinks=False)
        os.chmod(source, 0o700)  # which also shuts out those that an ACL names, see acl(5)
        os.mkdir(target, 0o700)
        os.chown(target, 0, self.gid, follow_symlinks=False)
        os.chmod(target, DIRECTORY_MODE)
        return status

    def _fill(self, source: str, target: str) -> Iterator[tuple[str, str]]:
        """Copy what is in a directory. Gives the directories in it, each with the path of its copy."""
        with os.scandir(source) as found:
            entries = list(found)
        for entry in entries:
            copy = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield entry.path, copy
            elif entry.is_symlink():
                os.symlink(os.readlink(entry.path), copy)
                os.chown(copy, 0, self.gid, follow_symlinks=False)
            elif entry.is_file(follow_symlinks=False):
                self._copy_file(entry.path, copy)

    def _copy_file(self, source: str, target: str) -> None:
        status = os.lstat(source)
        first = self.copied.get((status.st_dev, status.st_ino))
        if first is not None:
            os.link(first, target, follow_symlinks=False)
        else:
            self._copy_inode(source, target)
            if status.st_nlink > 1:
                self.copied[status.st_dev, status.st_ino] = target
        os.unlink(source)

    def _copy_inode(self, source: str, target: str) -> None:
        try:
            reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except BlockingIOError:  # a lease, see fcntl(2)
            cause = f"{source} is locked by a process outside the build"
            raise StackError("build", f"{cause}; correct what opens it, such as its setup.py.") from None
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            status = os.fstat(reading)
            self._check(source, status)
            _copy_content(reading, writing, status.st_size)
            os.fchown(writing, 0, self.gid)
            os.fchmod(writing, 0o750 if status.st_mode & stat.S_IXUSR else 0o640)
            os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))  # compiled Python is as old as its source
        finally:
            os.close(reading)
            os.close(writing)

    def _check(self, path: str, status: os.stat_result) -> None:
        if status.st_uid != self.uid:
            cause = f"{path} belongs to another user (id {status.st_uid})"
            raise StackError("build", f"{cause}; remove what put it there.")


def _copy_content(reading: int, writing: int, size: int) -> None:
    """Copy a file's content, sharing its blocks where the file system can, and leaving its holes.

    :param size: bytes at most; the file may grow and shrink meanwhile
    """
    os.ftruncate(writing, size)
    at = 0
    try:
        while at < size:
            at = os.lseek(reading, at, os.SEEK_DATA)
            end = min(os.lseek(reading, at, os.SEEK_HOLE), size)
            while at < end:
                count = _copy_range(reading, writing, at, end - at)
                if not count:
                    return
                at += count
    except OSError as error:
        if error.errno != errno.ENXIO:  # there is no more data
            raise


def _copy_range(reading: int, writing: int, at: int, count: int) -> int:
    try:
        return os.copy_file_range(reading, writing, count, at, at)
    except OSError as error:
        if error.errno not in NO_COPY_FILE_RANGE:
            raise
        os.lseek(writing, at, os.SEEK_SET)
        return os.sendfile(writing, reading, at, count)
