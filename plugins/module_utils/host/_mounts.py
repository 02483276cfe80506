# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a process can write to, by mounts of its own: for a process manager that has no sandbox, or only one for all its programs.

The file stands alone: its text is also run as a program, as root. Mounts are copied and put in place by descriptor, see
open_tree(2) and move_mount(2): who may rename a directory on the way cannot have another one mounted, or mounted elsewhere.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import struct
from collections.abc import Iterable, Sequence

OWN_RULES = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp")
"""What stays as it is: the kernel's, and what every user may write to."""

PROTECTED = ("/boot", "/etc", "/home", "/root", "/usr")
"""What an app never writes to, not even by a program of another user."""

# Numbers of system calls are the same on all architectures, see syscalls(2); the C library has no functions for these.
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
CLONE_NEWNS, MS_REC, MS_SLAVE = 0x20000, 0x4000, 0x80000
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE, OPEN_TREE_CLONE, MOVE_MOUNT_BY_DESCRIPTOR = -100, 0x1000, 0x8000, 1, 0x44
MOUNT_ATTR_RDONLY = 1

libc = ctypes.CDLL(None, use_errno=True)


def start(user: str, writable: Iterable[str], privileged: bool, command: Sequence[str]) -> None:
    """Become a command that runs as a user and can write to nothing but some directories, where it may.

    :param privileged: let it start programs with privileges that the user does not have, and these write where they may
    :raises OSError: there can be no such mounts here, or a directory is missing
    """
    account = pwd.getpwnam(user)
    groups = ",".join(map(str, os.getgrouplist(user, account.pw_gid)))
    _checked(libc.unshare(CLONE_NEWNS))
    _checked(libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None))
    if privileged:
        for path in filter(os.path.isdir, PROTECTED):
            directory, copy = _copy(path)
            _set_read_only(copy, True)
            _put(copy, directory)
        restrictions = []
    else:
        copies = [_copy(path) for path in (*OWN_RULES, *writable)]
        _set_read_only(AT_FDCWD, True, b"/")
        for directory, copy in copies:
            _put(copy, directory)
        restrictions = ["--no-new-privs", "--bounding-set=-all"]
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", f"--groups={groups}"]
    os.execv("/usr/bin/setpriv", ["setpriv", *identity, *restrictions, "--inh-caps=-all", "--ambient-caps=-all", "--", *command])


def open_up(pid: int, paths: Iterable[str]) -> None:
    """Let a process, and those that share its mounts, write to some directories that are read-only to it.

    For a process of its own: it becomes one that has these mounts, too.

    :raises OSError: a directory is missing
    """
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    _checked(libc.setns(namespace, CLONE_NEWNS))
    for path in paths:
        directory, copy = _copy(path)
        if os.fstatvfs(directory).f_flag & os.ST_RDONLY:
            _set_read_only(copy, False)
            _put(copy, directory)


def _copy(path: str) -> tuple[int, int]:
    """A directory, and a copy of what is mounted there and below, not in any place yet."""
    directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return directory, _call(OPEN_TREE, directory, b"", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE | os.O_CLOEXEC)


def _set_read_only(place: int, read_only: bool, path: bytes = b"") -> None:
    attributes = (MOUNT_ATTR_RDONLY, 0) if read_only else (0, MOUNT_ATTR_RDONLY)
    structure = struct.pack("QQQQ", *attributes, 0, 0)
    _call(MOUNT_SETATTR, place, path, AT_RECURSIVE | (0 if path else AT_EMPTY_PATH), structure, len(structure))


def _put(copy: int, directory: int) -> None:
    _call(MOVE_MOUNT, copy, b"", directory, b"", MOVE_MOUNT_BY_DESCRIPTOR)


def _call(*arguments: int | bytes) -> int:
    return _checked(libc.syscall(*(ctypes.c_long(value) if isinstance(value, int) else value for value in arguments)))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"the mounts of a sandbox cannot be made: {os.strerror(ctypes.get_errno())}")
    return result
