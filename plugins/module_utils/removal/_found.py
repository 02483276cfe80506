# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which apps there are on a host, whatever the inventory says."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
from collections.abc import Collection

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _ownership
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _checks, _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files


def found(directory: str, runtime_directory: str) -> set[str]:
    """The names of the apps on this host, by their users, their files for tmpfiles.d(5) and their directories.

    :param directory: the root of builds, releases and data
    :param runtime_directory: the root of the sockets
    """
    accounts = _ownership.accounts()
    layouts = [_layout.Layout(name, directory) for name in {*(user.pw_name for user in accounts.users), *accounts.marked}]
    names = {layout.name for layout in layouts if _ownership.owned(layout, accounts) or _ownership.orphaned(layout, accounts)}
    for path in glob.glob(_layout.Layout("*").boot_link):
        name = path.removeprefix(_layout.Layout("").boot_link.removesuffix(".conf")).removesuffix(".conf")
        if f"d {_layout.Layout(name, directory, runtime_directory).runtime_directory} " in _files.text_of(path):
            names.add(name)
    with contextlib.suppress(FileNotFoundError):
        names |= {name for name in os.listdir(directory) if _is_ours(_layout.Layout(name, directory))}
    return {name for name in names if _resolve.NAME.fullmatch(name) and name not in _checks.RESERVED_NAMES}


def _is_ours(layout: _layout.Layout) -> bool:
    return all(_is_roots_directory(path) for path in (layout.directory, layout.releases, layout.slots))


def _is_roots_directory(path: str) -> bool:
    try:
        state = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == 0


def going(there: Collection[str], keep: Collection[str], remove: Collection[str], prune: bool) -> list[str]:
    """The apps to be removed, of those that were found. Pure.

    :param keep: the apps that stay
    :param remove: the apps with ``state: absent``
    :param prune: whether those in neither list are removed too
    """
    return sorted(name for name in there if name not in keep and (prune or name in remove))
