# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The files that a pattern matches, also in directories that other users than root can change."""

from __future__ import annotations

import fnmatch
import os
import re

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted

MATCHES = 1000
"""Paths that are found at most."""

SPECIAL = re.compile(r"[*?\[]")


def matching(pattern: str, limit: int = MATCHES) -> list[str]:
    """The paths that a pattern matches, sorted; ``*`` never matches a slash, or the dot that a name begins with, see glob(7).

    :param pattern: an absolute path, with ``*``, ``?`` and ``[...]`` in any of its components
    :param limit: how many are found at most
    """
    if not os.path.isabs(pattern):
        return []
    if not SPECIAL.search(pattern):
        return [pattern] if os.path.lexists(pattern) else []
    found = ["/"]
    for part in (part for part in pattern.split("/") if part):
        if not SPECIAL.search(part):
            found = [os.path.join(path, part) for path in found]
            continue
        below: list[str] = []
        for path in found:
            names = [name for name in _untrusted.entries(path) if not name.startswith(".") or part.startswith(".")]
            below += [os.path.join(path, name) for name in fnmatch.filter(names, part)]
            if len(below) >= limit:
                break
        found = below[:limit]
    return sorted(path for path in found if os.path.lexists(path))
