# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a build to root, and lets nginx read its static directories.

What it was made by has ended, with all its processes, so nothing changes while this looks at it. Nothing in it is believed: no
link is followed.
"""

from __future__ import annotations

import errno
import os
import stat

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError

DIRECTORY_MODE = 0o751
"""The app may read, and nginx may pass through to what ``publish`` opens."""


def take_over(path: str, gid: int) -> None:
    """Give a directory and all in it to root, readable by the app's group and writable by nobody else.

    :param gid: the app's group
    :raises StackError: it has what no build has
    """
    uid = os.lstat(path).st_uid
    todo = [path]
    while todo:
        directory = todo.pop()
        try:
            os.chown(directory, 0, gid, follow_symlinks=False)
            os.chmod(directory, DIRECTORY_MODE)
            with os.scandir(directory) as entries:
                todo += [entry.path for entry in entries if not _take_over_entry(entry, uid, gid)]
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            cause = f"it leaves directories in {path} that are nested too deeply"
            raise StackError("build", f"{cause}; correct what makes them, such as its setup.py.") from None


def _take_over_entry(entry: os.DirEntry[str], uid: int, gid: int) -> bool:
    """Give an entry to root, unless it is a directory.

    :param uid: whose it is by now; a file of somebody else is a hard link to one elsewhere
    """
    if entry.is_dir(follow_symlinks=False):
        return False
    if entry.is_symlink():
        os.chown(entry.path, 0, gid, follow_symlinks=False)
    elif not entry.is_file(follow_symlinks=False):
        os.unlink(entry.path)  # a socket or a pipe
    else:
        status = entry.stat(follow_symlinks=False)
        if status.st_uid != uid:
            cause = f"{entry.path} belongs to another user (id {status.st_uid})"
            raise StackError("build", f"{cause}; remove what put it there.")
        os.chown(entry.path, 0, gid, follow_symlinks=False)
        os.chmod(entry.path, 0o750 if status.st_mode & stat.S_IXUSR else 0o640)
    return True


def publish(build: str, directory: str) -> None:
    """Let everybody read a directory of a finished build.

    :param directory: relative to the source
    :raises StackError: it is missing, or a symlink out of the build
    """
    path = os.path.realpath(os.path.join(build, "source", directory))
    if not path.startswith(os.path.realpath(build) + os.sep):
        raise StackError(
            "static",
            f"the directory {directory} is a symlink to {path}, outside the source; put the files into the source.",
        )
    if not os.path.isdir(path):
        raise StackError(
            "static",
            f"the source has no directory {directory}; correct static.directory, or add the directory to the source.",
        )
    for _path, _directories, files, descriptor in os.fwalk(path):
        os.fchmod(descriptor, 0o755)
        for name in files:
            if stat.S_ISREG(os.lstat(name, dir_fd=descriptor).st_mode):
                os.chmod(name, 0o644, dir_fd=descriptor)
