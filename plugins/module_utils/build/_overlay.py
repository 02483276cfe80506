# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Changes the source of a build: lays files over it, and makes links to what the app shares between its releases.

No symlink is followed, since root does this, and the source may be anybody's.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Source:
    """The source of a build.

    :param top: a directory in one that is root's
    :param below: the directory of the source, relative to ``top``
    """

    def __init__(self, top: str, below: str = ""):
        self.top = top
        self.below = below

    def lay(self, files: Mapping[str, str]) -> None:
        """Write files in place of those that are there. They belong to the owner of the source, who alone can read them.

        :param files: contents by path, relative to the source
        :raises StackError: a symlink or a file is in the way of a directory, or a directory in the way of a file
        """
        for path, content in files.items():
            with self._parent("files", path) as (parent, name, owner):
                try:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=parent)
                except IsADirectoryError:
                    raise _unusable("files", path, path, "a directory") from None
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(name, flags, 0o600, dir_fd=parent)
                with open(descriptor, "w", encoding="utf-8", newline="") as stream:
                    stream.write(content)
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                    # The finished build keeps whether it is a program.
                    os.fchmod(descriptor, 0o700 if content.startswith("#!") else 0o600)

    def make_directories(self, paths: Iterable[str]) -> None:
        """Make the directories that are missing.

        :raises StackError: a symlink, or a file on the way to it, is there instead
        """
        for path in paths:
            with self._parent("shared_paths", path) as (parent, name, owner):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=parent)
                    os.chown(name, owner.st_uid, owner.st_gid, dir_fd=parent, follow_symlinks=False)
                if stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode):
                    raise _unusable("shared_paths", path, path, "a symlink")

    def share(self, paths: Iterable[str], shared: str, kept: str) -> None:
        """Put links to what is shared in the place of what is in the source, and keep that.

        :param shared: the directory that the links lead to
        :param kept: an empty directory of root's on the same file system, where it is moved to
        :raises StackError: a symlink is there, or on the way
        """
        for path in paths:
            with self._parent("shared_paths", path) as (parent, name, _owner):
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode):
                        raise _unusable("shared_paths", path, path, "a symlink")
                    target = os.path.join(kept, path)
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    os.rename(name, target, src_dir_fd=parent)
                os.symlink(os.path.join(shared, path), name, dir_fd=parent)

    @contextlib.contextmanager
    def _parent(self, step: str, path: str) -> Iterator[tuple[int, str, os.stat_result]]:
        """A descriptor of the directory that a path is in, made if it is missing, the name in it, and the owner of the source."""
        here = os.open(self.top, FLAGS)
        try:
            owner = os.fstat(here)
            parts = [part for part in os.path.join(self.below, os.path.dirname(path)).split("/") if part]
            for place, part in enumerate(parts, 1):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=here)
                    os.chown(part, owner.st_uid, owner.st_gid, dir_fd=here, follow_symlinks=False)
                try:
                    inside = os.open(part, FLAGS, dir_fd=here)
                except NotADirectoryError:
                    is_link = stat.S_ISLNK(os.lstat(part, dir_fd=here).st_mode)
                    raise _unusable(step, path, "/".join(parts[:place]), "a symlink" if is_link else "not a directory") from None
                os.close(here)
                here = inside
            yield here, os.path.basename(path), owner
        finally:
            os.close(here)


def _unusable(step: str, path: str, found: str, what: str) -> StackError:
    where = "it" if found == path else found
    return StackError(step, f"{path} cannot be used, since {where} is {what} in the source; correct the path or the source.")
