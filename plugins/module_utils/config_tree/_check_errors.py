# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The errors in the output of a program that checks a configuration, and the files of the tree that they are about."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import Tree, TreeEntry
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _messages


@dataclass(frozen=True)
class CheckError:
    """An error that a check found.

    :ivar cause: the program's message, without the place
    :ivar path: the file that it names, None if it names none; ``line``: the line in the file
    :ivar fatal: whether nothing can be loaded with it
    """

    cause: str
    path: str | None = None
    line: int | None = None
    fatal: bool = True


def errors(checked: Completed) -> list[CheckError]:
    """The error that a check stopped at, or nginx's warnings about conflicting server names. Pure.

    nginx accepts a configuration with two server blocks of the same name and ignores the second (ngx_http_core_module).
    """
    if checked.code == 0:
        warnings = (message.text for message in _messages.read(checked.output) if message.level == "warn")
        found = (re.match(r'(conflicting server name "\S+") on \S+, ignored', text) for text in warnings)
        return [CheckError(cause, fatal=False) for cause in dict.fromkeys(match[1] for match in found if match)]
    cause = _messages.first_error(checked.output) or checked.last_line
    place = re.search(r" in (/\S+):(\d+)$", cause) or re.search(r"(/[^\s:'\"]+):(\d+)", cause)
    if not place:
        return [CheckError(cause)]
    return [CheckError(cause.replace(place.group(0), "").strip(), place.group(1), int(place.group(2)))]


# For errors that do not name the right file: the message, and what to search for in the files. {it} is the name in the message.
SEARCHES = (
    (r'conflicting server name "(?P<it>\S+)"', r"\bserver_name\b[^;{}]*\s(?P<here>{it})(?=[\s;])"),
    (r'unknown "(?P<it>\w+)" variable', r"(?P<here>\$\{?{it}\b)"),
    (r"(?P<it>duplicate default server)", r"\blisten\b[^;]*\s(?P<here>default_server)\b"),
)


def search_for(error: CheckError) -> re.Pattern[str] | None:
    """What to search for in files, for an error that does not name the right file; None if it does. Pure."""
    for message, text in SEARCHES:
        match = re.search(message, error.cause)
        if match:
            return re.compile(text.replace("{it}", re.escape(match["it"])))
    return None


def places(error: CheckError, tree: Tree) -> list[tuple[str, int]]:
    """The files of the tree that an error is about, each with the line. Pure."""
    pattern = search_for(error)
    if pattern is None:
        path = resolved(error.path, tree) if error.path else None
        return [(path, error.line or 1)] if path in tree else []
    found = []
    for path, entry in sorted(tree.items()):
        text = text_in(entry)
        match = pattern.search(text)
        if match:
            found.append((path, text.count("\n", 0, match.start("here")) + 1))
    return found


def text_in(entry: TreeEntry) -> str:
    """The text of a file of the tree, "" of anything else."""
    return entry.item.content if isinstance(entry.item, File) else ""


def others(error: CheckError, tree: Tree) -> list[str]:
    """Files outside the tree that an error is about, too. Reads the disk."""
    pattern = search_for(error)
    if pattern is None:
        return []
    found = []
    for directory in sorted({os.path.dirname(path) for path in tree}):
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            path = os.path.join(directory, name)
            # Debian's nginx reads what is enabled, not what is available.
            if path in tree or name.startswith(".") or directory.endswith("-available"):
                continue
            text = re.sub(r"^[ \t]*#.*$", "", _untrusted.text_or_none(path) or "", flags=re.MULTILINE)
            if pattern.search(text):
                found.append(path)
    return found


def resolved(path: str, tree: Tree) -> str:
    """The target of a path, if it is a symlink of the tree; otherwise the path. Pure."""
    entry = tree.get(path)
    if entry and isinstance(entry.item, Link):
        return os.path.normpath(os.path.join(os.path.dirname(path), entry.item.target))
    return path


def quoted(error: CheckError, tree: Tree, path: str | None = None) -> str:
    """The error with its place and the line itself, since the file may be gone when this is read. Pure.

    :param path: the file to quote, if it is about several
    """
    found = [place for place in places(error, tree) if path in (None, place[0])]
    if not found:
        return error.cause + (f" in {error.path}:{error.line}" if error.path else "")
    where, line = found[0]
    lines = text_in(tree[where]).splitlines()
    text = lines[line - 1].strip() if line <= len(lines) else ""
    return f"{error.cause} in {where}:{line}" + (f" ({text})" if text else "")


def fix(error: CheckError) -> str:
    """What to do about an error. Pure."""
    for pattern, text in (
        (
            r"duplicate default server",
            "remove default_server from the listen of the other server, or set nginx_default_server: false",
        ),
        (r"conflicting server name", "remove the name from the other server, or from the app's domains"),
        (r"Address family not supported", "set nginx_ipv6: false, since this host has no IPv6"),
    ):
        if re.search(pattern, error.cause):
            return text
    return "correct it and run again"
