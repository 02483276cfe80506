# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The file with what is saved about a tree from run to run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import Memory, from_json, to_json
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, read, write
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked

DIRECTORY = "/var/lib/wsgi/config_tree"
"""The directory with one file for each tree."""


class MemoryFile:
    """The file of one tree.

    :param dry: check mode: do not lock or write it
    """

    def __init__(self, name: str, directory: str = DIRECTORY, dry: bool = False):
        self.path = os.path.join(directory, f"{name}.json")
        self.dry = dry

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let no other run work on a tree."""
        if self.dry:
            yield
            return
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        with locked("config_tree"):
            yield

    def read(self) -> Memory:
        """What was saved, empty if there is no file."""
        found = read(self.path)
        return from_json(found.content) if isinstance(found, File) else Memory()

    def write(self, memory: Memory) -> None:
        """Save it, unless in check mode."""
        if not self.dry:
            write(self.path, File(to_json(memory), 0o600, str(os.geteuid()), str(os.getegid())), sync=True)
