# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The files of nginx's configuration as its ``include`` directives lead from one to the next, read from the disk."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _paths, _syntax

FILES = 5000
"""Files of a configuration that are read at most."""


def files(main: str) -> Iterator[tuple[str, str, list[str]]]:
    """The path and the text of each file, and the patterns of the files that it includes.

    :param main: the main configuration file, which is the first
    """
    waiting, seen = [main], set[str]()
    while waiting and len(seen) < FILES:
        path = waiting.pop(0)
        text = None if path in seen else _untrusted.text_or_none(path)
        if text is None:
            continue
        seen.add(path)
        included = [each for each in _syntax.walk(_syntax.parse(text, path)) if each.name == "include" and each.arguments]
        patterns = [os.path.join(os.path.dirname(main), each.arguments[0]) for each in included]
        yield path, text, patterns
        waiting += [file for pattern in patterns for file in sorted(glob.glob(pattern))]


def unread(paths: Sequence[str], main: str = _paths.MAIN) -> str:
    """Which of some files nginx would not read, and what to do, in a sentence; "" if it would read all, or is not installed.

    The main file is the administrator's, or that of a package which is not Debian's.

    :param paths: they need not be there yet
    """
    missing = list(paths) if os.path.exists(main) else []
    for _path, _text, patterns in files(main) if missing else ():
        missing = [path for path in missing if not any(_matches(path, pattern) for pattern in patterns)]
        if not missing:
            break
    if not missing:
        return ""
    lines = " and ".join(f"'include {os.path.dirname(path)}/*.conf;'" for path in missing)
    return (
        f"nginx would not read {' and '.join(missing)}, which {main} does not include;"
        f" add {lines} to its http block and run again."
    )


def _matches(path: str, pattern: str) -> bool:
    directory, name = os.path.split(path)
    pattern = os.path.normpath(pattern)
    real = os.path.join(os.path.realpath(directory), name)
    return any(fnmatch.fnmatchcase(each, pattern) and each.count("/") == pattern.count("/") for each in (path, real))
