# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The directories of apps: which there are to be, and which of them a host has otherwise."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import Account


class Directory(NamedTuple):
    """A directory, as tmpfiles.d(5) declares it."""

    path: str
    mode: int
    user: str
    group: str

    def __str__(self) -> str:
        return f"d {self.path} {self.mode:04o} {self.user} {self.group} -"


def shared_by_all(directory: str, runtime_directory: str) -> list[Directory]:
    """The roots, where they really are: they may be links to another disk, through which systemd-tmpfiles makes nothing."""
    return [Directory(os.path.realpath(path), 0o755, "root", "root") for path in (directory, runtime_directory)]


def of(app: Account, nginx_group: str) -> list[Directory]:
    """The directories of an app. Pure.

    :param nginx_group: the group of nginx's workers
    """
    layout = _layout.of(app)
    code = [layout.directory, layout.builds, layout.releases, layout.slots]
    return [
        *(Directory(path, 0o711, "root", "root") for path in code),
        Directory(layout.shared, 0o750, app["user"], app["group"]),
        Directory(layout.runtime_directory, 0o750, "root", nginx_group),
    ]


def wrong(wanted: Iterable[Directory]) -> list[Directory]:
    """Those that are missing, or have another mode or owner."""
    return [directory for directory in wanted if _differs(directory)]


def lines(found: Sequence[Directory]) -> str:
    """What a host has at some paths, for the diff."""
    return "".join(f"{_seen(directory.path)}\n" for directory in found)


def _differs(directory: Directory) -> bool:
    try:
        status = os.lstat(directory.path)
        owner = pwd.getpwnam(directory.user).pw_uid, grp.getgrnam(directory.group).gr_gid
    except (OSError, KeyError):
        return True
    return (status.st_mode, status.st_uid, status.st_gid) != (stat.S_IFDIR | directory.mode, *owner)


def _seen(path: str) -> str:
    try:
        status = os.lstat(path)
    except OSError:
        return f"{path}: not there"
    return f"{path}: {stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
