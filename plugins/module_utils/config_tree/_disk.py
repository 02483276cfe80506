# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk, as ``config_tree`` reads and writes it; and a copy of the part that a tree lies in, for check mode."""

from __future__ import annotations

import contextlib
import errno
import grp
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import File, Item, Link, Other, shipped_unchanged
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run

TEMPORARY = ".wsgi-stack.tmp"
"""The end of a temporary file's name. The name begins with a dot, which every glob and every scan of a directory passes
over, and lies in the directory of the file that it becomes, so that the rename is atomic."""


CHECK_TIMEOUT = 120
"""Seconds that a program has to check a tree."""

LOGS = "/var/log/nginx"
"""Where a check of nginx makes the logs that a configuration names and that are not there yet."""


def read(path: str) -> Item | None:
    """What is at a path now; None if there is nothing."""
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
    return File(content, stat.S_IMODE(found.st_mode), _user_name(found.st_uid), _group_name(found.st_gid))


def text_of(path: str, size: int = 65536) -> str:
    """The text of a file, "" if it cannot be read.

    :param size: characters to read at most, -1 for all; who knows what a path leads to that somebody else has named
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(size)
    except OSError:
        return ""


def write(path: str, item: Item) -> None:
    """Put an item at a path, in one rename.

    :raises OSError: whatever the disk has to say, or that there is no such user or group
    """
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}{TEMPORARY}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # of a run that was killed
    if isinstance(item, Link):
        os.symlink(item.target, temporary)
    elif isinstance(item, File):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(item.content)
            if os.geteuid() == 0:
                missing = account_missing(item)
                if missing:
                    raise FileNotFoundError(errno.ENOENT, f"{missing} is not there")
                os.fchown(descriptor, _uid(item.owner), _gid(item.group))
            os.fchmod(descriptor, item.mode)
    os.rename(temporary, path)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def account_missing(item: Item) -> str | None:
    """The user or the group that an item shall belong to and that is not there, in words."""
    if isinstance(item, File):
        for what, look_up, name in (("the user", _uid, item.owner), ("the group", _gid, item.group)):
            try:
                look_up(name)
            except KeyError:
                return f"{what} {name}"
    return None


def _uid(name: str) -> int:
    return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid


def _gid(name: str) -> int:
    return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def unchanged_package_file(path: str) -> bool:
    """Whether a path is a package's configuration file, or a link to one, that nobody has edited."""
    real = os.path.realpath(path)
    owner = run(["dpkg-query", "--search", real])
    if owner.code != 0 or not os.path.isfile(real):
        return False
    with open(real, "rb") as stream:
        md5 = hashlib.md5(stream.read(), usedforsecurity=False).hexdigest()
    package = owner.output.splitlines()[-1].rpartition(": ")[0].split(",")[0]
    return shipped_unchanged(run(["dpkg-query", "--show", "--showformat=${Conffiles}\n", package]).output, real, md5)


def missing_directories(path: str) -> list[str]:
    """The directories above a path that are not there, the topmost first."""
    missing: list[str] = []
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        missing.insert(0, directory)
        directory = os.path.dirname(directory)
    return missing


class Disk:
    """The real one."""

    can_check = True

    def write(self, path: str, item: Item) -> None:
        """Put an item at a path, and make the directories above it.

        :raises OSError: whatever the disk has to say
        """
        for directory in missing_directories(path):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
        write(path, item)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def check(self, argv: Sequence[str]) -> Completed:
        """Run a program that checks what is written, where it lies."""
        return run(argv, timeout=CHECK_TIMEOUT)

    def close(self) -> None:
        pass


class Rehearsal(Disk):
    """Copies of the directories that a tree lies in, which a check sees in their place; nothing else changes.

    The check runs in a mount namespace of its own. Where that is not allowed, and where the program is not installed, there
    are no copies, and ``can_check`` is false.

    :param paths: the tree's paths, and those that it may remove
    :param argv: the program that will check it; empty for none
    """

    def __init__(self, paths: Iterable[str], argv: Sequence[str]):
        self.copies: dict[str, str] = {}
        self.can_check = False
        self.scratch = ""
        roots = _roots(paths)
        if not argv or not shutil.which(argv[0]) or any(root.count("/") < 2 for root in roots):
            return
        self.scratch = tempfile.mkdtemp(prefix="wsgi-stack-")
        with contextlib.suppress(OSError):  # of which shutil's own errors are a kind
            for number, root in enumerate(roots):
                self.copies[root] = os.path.join(self.scratch, str(number))
                shutil.copytree(root, self.copies[root], symlinks=True)
            if os.path.isdir(LOGS):
                self.copies[LOGS] = os.path.join(self.scratch, "logs")
                os.mkdir(self.copies[LOGS])
            self.can_check = self.check(["true"]).code == 0

    def write(self, path: str, item: Item) -> None:
        if self.can_check:
            if isinstance(item, File):  # whose owner may not be there yet
                item = replace(item, owner=str(os.geteuid()), group=str(os.getegid()))
            for copy in self._copied(path):
                super().write(copy, item)

    def remove(self, path: str) -> None:
        for copy in self._copied(path):
            super().remove(copy)

    def check(self, argv: Sequence[str]) -> Completed:
        mounts = [f"mount --bind '{copy}' '{root}'" for root, copy in self.copies.items()]
        script = " && ".join(["mount --make-rprivate /", *mounts, 'exec "$@"'])
        return super().check(["unshare", "--mount", "--", "sh", "-c", script, "sh", *argv])

    def close(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _copied(self, path: str) -> list[str]:
        return [copy + path[len(root) :] for root, copy in self.copies.items() if path.startswith(f"{root}/")]


def _roots(paths: Iterable[str]) -> list[str]:
    """The directories nearest to the paths that are there, without those inside another one."""
    roots = set()
    for path in paths:
        missing = missing_directories(path)
        roots.add(os.path.dirname(missing[0] if missing else path))
    return sorted(root for root in roots if not any(root.startswith(f"{other}/") for other in roots))
