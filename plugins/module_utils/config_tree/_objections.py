# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program that checks a configuration says, read: what is wrong, where, and in which of our files. Pure."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import Entry
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _messages


@dataclass(frozen=True)
class Objection:
    """Why a check does not pass.

    ``words`` are the checker's own. ``path`` and ``line``: where, if it says so. ``fatal``: nothing can be loaded with it.
    """

    words: str
    path: str | None = None
    line: int | None = None
    fatal: bool = True


def objections(checked: Completed) -> list[Objection]:
    """What a checker found: the error that it stopped at, or nginx's warnings of names that it will not serve.

    nginx passes a configuration in which two servers have one name, and ignores the second (ngx_http_core_module).
    """
    if checked.code == 0:
        warnings = (message.text for message in _messages.read(checked.output) if message.level == "warn")
        found = (re.match(r'(conflicting server name "\S+") on \S+, ignored', text) for text in warnings)
        return [Objection(words, fatal=False) for words in dict.fromkeys(match[1] for match in found if match)]
    words = _messages.first_error(checked.output) or checked.last_line
    place = re.search(r" in (/\S+):(\d+)$", words) or re.search(r"(/[^\s:'\"]+):(\d+)", words)
    if not place:
        return [Objection(words)]
    return [Objection(words.replace(place.group(0), "").strip(), place.group(1), int(place.group(2)))]


# What in a file an error without a place is about. The name that nginx gives stands for {it}.
TRACES = (
    (r'conflicting server name "(?P<it>\S+)"', r"\bserver_name\b[^;{}]*\s(?P<here>{it})(?=[\s;])"),
    (r'unknown "(?P<it>\w+)" variable', r"(?P<here>\$\{?{it}\b)"),
    (r"(?P<it>duplicate default server)", r"\blisten\b[^;]*\s(?P<here>default_server)\b"),
)


def trace(objection: Objection) -> re.Pattern[str] | None:
    """What to look for in files, for an error that says what is wrong but not, or not reliably, where."""
    for words, text in TRACES:
        match = re.search(words, objection.words)
        if match:
            return re.compile(text.replace("{it}", re.escape(match["it"])))
    return None


def places(objection: Objection, tree: dict[str, Entry]) -> list[tuple[str, int]]:
    """The files of the tree that an objection is about, each with the line."""
    pattern = trace(objection)
    if pattern is None:
        path = resolved(objection.path, tree) if objection.path else None
        return [(path, objection.line or 1)] if path in tree else []
    found = []
    for path, entry in sorted(tree.items()):
        text = text_in(entry)
        match = pattern.search(text)
        if match:
            found.append((path, text.count("\n", 0, match.start("here")) + 1))
    return found


def text_in(entry: Entry) -> str:
    """The text of a file of the tree, "" of anything else."""
    return entry.item.content if isinstance(entry.item, File) else ""


def others(objection: Objection, tree: dict[str, Entry]) -> list[str]:
    """Files beside those of the tree that an objection is about, too. Looks at the disk."""
    pattern = trace(objection)
    if pattern is None:
        return []
    found = []
    for directory in sorted({os.path.dirname(path) for path in tree}):
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            path = os.path.join(directory, name)
            # Debian's nginx reads what is enabled, not what is available.
            if path in tree or name.startswith(".") or directory.endswith("-available") or not os.path.isfile(path):
                continue
            with open(path, encoding="utf-8", errors="replace") as stream:
                text = re.sub(r"^\s*#.*$", "", stream.read(), flags=re.MULTILINE)
            if pattern.search(text):
                found.append(path)
    return found


def resolved(path: str, tree: dict[str, Entry]) -> str:
    """The file of the tree that a path leads to, through a link of the tree if it is one."""
    entry = tree.get(path)
    if entry and isinstance(entry.item, Link):
        return os.path.normpath(os.path.join(os.path.dirname(path), entry.item.target))
    return path


def quoted(objection: Objection, tree: dict[str, Entry], path: str | None = None) -> str:
    """The objection with its place and, since that may be gone when it is read, the line itself.

    :param path: the file that is meant, where it is about several
    """
    found = [place for place in places(objection, tree) if path in (None, place[0])]
    if not found:
        return objection.words + (f" in {objection.path}:{objection.line}" if objection.path else "")
    where, line = found[0]
    lines = text_in(tree[where]).splitlines()
    text = lines[line - 1].strip() if line <= len(lines) else ""
    return f"{objection.words} in {where}:{line}" + (f" ({text})" if text else "")


def fix(objection: Objection) -> str:
    """What to do about an error that an operator meets sooner or later, if it is one."""
    for pattern, text in (
        (r"duplicate default server", "take default_server out of the other server's listen, or set nginx_default_server: false"),
        (r"conflicting server name", "take the name out of the other server, or out of the app's domains"),
        (r"Address family not supported", "set nginx_ipv6: false, for this host has no IPv6"),
    ):
        if re.search(pattern, objection.words):
            return text
    return "correct it and run again"
