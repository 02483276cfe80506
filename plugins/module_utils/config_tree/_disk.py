# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The disk that a tree is written to: the host's, or in check mode a copy of the directories concerned."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import shipped_unchanged
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Item

CHECK_TIMEOUT = 120
"""Seconds for the program that checks a tree."""

LOGS = "/var/log/nginx"
"""Here a test by nginx creates the log files that are missing."""


def unchanged_package_file(path: str, content: bytes | None = None) -> bool:
    """Whether a path is a configuration file of a package, or a symlink to one, without edits of its administrator.

    :param content: what to compare in place of what the file has
    """
    real = os.path.realpath(path)
    owner = run(["dpkg-query", "--search", real])
    if owner.code != 0 or not os.path.isfile(real):
        return False
    if content is None:
        with open(real, "rb") as stream:
            content = stream.read()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    package = owner.output.splitlines()[-1].rpartition(": ")[0].split(",")[0]
    return shipped_unchanged(run(["dpkg-query", "--show", "--showformat=${Conffiles}\n", package]).output, real, md5)


def missing_directories(path: str) -> list[str]:
    """The missing directories above a path, the topmost first."""
    missing: list[str] = []
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        missing.insert(0, directory)
        directory = os.path.dirname(directory)
    return missing


def remove_unused(directories: Iterable[str], paths: Iterable[str]) -> None:
    """Remove directories that are empty and contain none of some paths."""
    for directory in sorted(directories, reverse=True):
        if not any(path.startswith(f"{directory}/") for path in paths):
            with contextlib.suppress(OSError):
                os.rmdir(directory)


class HostDisk:
    """The disk of the host."""

    can_check = True

    def write(self, path: str, item: Item) -> None:
        """Write an item, and create the directories above it.

        :raises OSError: it cannot be written
        """
        for directory in missing_directories(path):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
        _files.write(path, item)

    def remove(self, path: str) -> None:
        """Remove an item, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def check(self, argv: Sequence[str]) -> Completed:
        """Run a program that checks what was written."""
        return run(argv, timeout=CHECK_TIMEOUT)

    def close(self) -> None:
        pass


class Rehearsal(HostDisk):
    """Copies of the directories of a tree. A check sees them instead of the originals, which do not change.

    The check runs in a mount namespace. Where that is not allowed, or the program is not installed, there are no copies, and
    ``can_check`` is false.

    :param paths: the paths of the tree, and those that may be removed
    :param argv: the program that will check the tree; empty for none
    """

    def __init__(self, paths: Iterable[str], argv: Sequence[str]):
        self.copies: dict[str, str] = {}
        self.can_check = False
        self.scratch = ""
        roots = _roots(paths)
        if not argv or not shutil.which(argv[0]) or any(root.count("/") < 2 for root in roots):
            return
        self.scratch = tempfile.mkdtemp(prefix="wsgi-stack-")
        with contextlib.suppress(OSError):  # shutil's errors are a subclass
            for number, root in enumerate(roots):
                self.copies[root] = os.path.join(self.scratch, str(number))
                shutil.copytree(root, self.copies[root], symlinks=True)
            if os.path.isdir(LOGS):
                self.copies[LOGS] = os.path.join(self.scratch, "logs")
                os.mkdir(self.copies[LOGS])
            self.can_check = self.check(["true"]).code == 0

    def write(self, path: str, item: Item) -> None:
        if self.can_check:
            if isinstance(item, File):  # its owner may not exist yet
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
    """The closest existing directories above some paths, without those inside another one."""
    roots = set()
    for path in paths:
        missing = missing_directories(path)
        roots.add(os.path.dirname(missing[0] if missing else path))
    return sorted(root for root in roots if not any(root.startswith(f"{other}/") for other in roots))


def unneeded(directory: str | None, needs: Sequence[str]) -> list[str]:
    """The entries of a directory that are none of these paths, and in which none of them is."""
    if directory is None or not os.path.isdir(directory):
        return []
    entries = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
    return [entry for entry in entries if not any(need == entry or need.startswith(f"{entry}/") for need in needs)]
