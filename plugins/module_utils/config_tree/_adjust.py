# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Changes to configuration files of packages, for settings that no file beside them can override."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._disk import HostDisk, unchanged_package_file
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Item


@dataclass(frozen=True)
class Adjustment:
    """A text to replace in a file.

    :ivar path: the file
    :ivar before: the text that the package ships
    :ivar after: what takes its place
    """

    path: str
    before: str
    after: str


def adjusted(wanted: Iterable[Adjustment], current: Mapping[str, Item]) -> dict[str, File]:
    """The files that have to be changed, as they should be. A file that anybody has edited is theirs, and stays as it is."""
    found = {}
    for adjustment in wanted:
        item = current.get(adjustment.path)
        if isinstance(item, File) and adjustment.before in item.content and unchanged_package_file(adjustment.path):
            found[adjustment.path] = replace(item, content=item.content.replace(adjustment.before, adjustment.after, 1))
    return found


def shipped(done: Iterable[Adjustment], current: Mapping[str, Item]) -> dict[str, File]:
    """The files that were changed, as their packages ship them. A file that anybody has edited since is theirs, and stays."""
    found = {}
    for adjustment in done:
        item = current.get(adjustment.path)
        if isinstance(item, File) and adjustment.after in item.content:
            content = item.content.replace(adjustment.after, adjustment.before, 1)
            if unchanged_package_file(adjustment.path, content.encode(errors="surrogateescape")):
                found[adjustment.path] = replace(item, content=content)
    return found


def accepted(wanted: Mapping[str, File], current: Mapping[str, Item], disk: HostDisk, check: Sequence[str]) -> dict[str, File]:
    """Write the files, and put back each that the program which checks the tree does not accept.

    :returns: the files that stay
    """
    found = {}
    for path, item in wanted.items():
        disk.write(path, item)
        if check and disk.can_check and disk.check(check).code:
            disk.write(path, current[path])
        else:
            found[path] = item
    return found
