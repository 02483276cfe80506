# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and links as values: what is there, what is wanted, and the steps from one to the other. Pure."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Item, Link, Other


class TreeError(Exception):
    """What stops the whole tree; the message is one sentence."""


@dataclass(frozen=True)
class Entry:
    """An item and the apps that it is there for; no apps: it is there for the tree."""

    item: Item
    apps: tuple[str, ...] = ()


@dataclass
class Memory:
    """What a tree remembers from run to run.

    ``owned``: the paths that it wrote, each with the kind of item. ``intended``: what it was about to write when this was
    noted, as digests; after a run that was killed, what has such a digest is its own. ``loaded``: the tree that was last
    loaded, whole, so that it can be put back even when a killed run has overwritten it. ``stale``: something was written or
    removed since. ``directories``: those that it made.
    """

    owned: dict[str, str] = field(default_factory=dict)
    intended: dict[str, str] = field(default_factory=dict)
    loaded: dict[str, Entry] = field(default_factory=dict)
    stale: bool = False
    directories: list[str] = field(default_factory=list)


def kind(item: Item) -> str:
    return {File: "file", Link: "link", Other: "other"}[type(item)]


def digest(item: Item) -> str:
    return hashlib.sha256(repr(item).encode(errors="surrogateescape")).hexdigest()


def owned(memory: Memory, current: dict[str, Item]) -> set[str]:
    """The paths where something of ours is: written earlier and still of that kind, or written by a run that was killed."""
    return {
        path
        for path, item in current.items()
        if memory.owned.get(path) == kind(item) or memory.intended.get(path) == digest(item)
    }


def obstacles(wanted: dict[str, Entry], current: dict[str, Item], ours: set[str]) -> dict[str, str]:
    """The wanted paths where something lies that this tree did not write, each with a sentence; what is identical is adopted."""
    found = {}
    for path, entry in wanted.items():
        now = current.get(path)
        if now is None or path in ours or _same_text(now, entry.item):
            continue
        what = now.kind if isinstance(now, Other) else f"a {kind(now)}"
        found[path] = f"{path} is {what} that wsgi.stack did not write, so it stays; move it away and run again"
    return found


def _same_text(one: Item, two: Item) -> bool:
    if isinstance(one, File) and isinstance(two, File):
        return one.content == two.content
    return one == two and not isinstance(one, Other)


def former(memory: Memory, wanted: dict[str, Entry], current: dict[str, Item], ours: set[str]) -> dict[str, Entry]:
    """What to put back: the tree that was last loaded, and what lay there and is adopted now."""
    adopted = {path: Entry(current[path], entry.apps) for path, entry in wanted.items() if path in current and path not in ours}
    return {**adopted, **memory.loaded}


def target(
    wanted: dict[str, Entry], earlier: dict[str, Entry], put_back: set[str], left_out: frozenset[str] | set[str] = frozenset()
) -> dict[str, Entry]:
    """The tree as it shall be with some apps put back to what they had and others left out.

    What is there for several apps is put back when all of them are: one that is fine needs it. An app that is in the
    earlier tree only has no say, unless it is to be put back.
    """
    known = {app for entry in wanted.values() for app in entry.apps} | put_back
    tree = {}
    for path in {*wanted, *earlier}:
        apps = {app for app in (wanted.get(path) or earlier[path]).apps if app in known}
        if apps and apps <= left_out:
            continue
        source = earlier if apps and apps <= put_back | left_out else wanted
        if path in source:
            tree[path] = source[path]
    return tree


def steps(current: dict[str, Item], tree: dict[str, Entry], ours: set[str]) -> list[tuple[str, Item | None]]:
    """What to write (an item) and what to remove (None), in the order in which it is safe: no link leads nowhere in between.

    :param ours: what may be removed
    """
    writes = [(path, entry.item) for path, entry in sorted(tree.items()) if current.get(path) != entry.item]
    removals = [path for path in sorted(ours) if path in current and path not in tree]
    return [
        *[step for step in writes if isinstance(step[1], File)],
        *[step for step in writes if isinstance(step[1], Link)],
        *[(path, None) for path in removals if isinstance(current[path], Link)],
        *[(path, None) for path in removals if not isinstance(current[path], Link)],
    ]


def shipped_unchanged(conffiles: str, path: str, md5: str) -> bool:
    """Whether a configuration file is as its package shipped it.

    :param conffiles: what ``dpkg-query -W -f '${Conffiles}'`` prints: a path and an MD5 sum a line
    """
    return any(line.split()[:2] == [path, md5] for line in conffiles.splitlines())


def diffs(before: dict[str, Item], after: dict[str, Item]) -> list[dict[str, str]]:
    """The differences in the form in which Ansible shows them."""
    found = []
    for path in sorted({*before, *after}):
        one, two = before.get(path), after.get(path)
        if one == two:
            continue
        texts = [_text(one), _text(two)]
        heads = [path, path]
        if texts[0] == texts[1] or kind_changed(one, two):
            heads = [f"{path} ({_attributes(one)})", f"{path} ({_attributes(two)})"]
        found.append({"before": texts[0], "after": texts[1], "before_header": heads[0], "after_header": heads[1]})
    return found


def kind_changed(one: Item | None, two: Item | None) -> bool:
    return type(one) is not type(two)


def _text(item: Item | None) -> str:
    if isinstance(item, File):
        return item.content.encode(errors="surrogateescape").decode(errors="replace")
    return f"{item.target}\n" if isinstance(item, Link) else ""


def _attributes(item: Item | None) -> str:
    if isinstance(item, File):
        return f"{item.mode:04o} {item.owner}:{item.group}"
    return "a link" if isinstance(item, Link) else "absent" if item is None else item.kind


def entries(files: list[dict[str, Any]], links: list[dict[str, Any]]) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """The wanted tree from the module's parameters, and beside it the files that are only wanted where there are none.

    :raises TreeError: a path that is not absolute and plain, a path given twice, a mode that is not four octal digits
    """
    wanted: dict[str, Entry] = {}
    initial: dict[str, Entry] = {}
    for found in files:
        path, mode = found["dest"], found["mode"]
        _check_path("dest", path, {**wanted, **initial})
        if not re.fullmatch(r"0[0-7]{3}", mode):
            raise TreeError(f"mode of {path}: found {mode!r}, wanted four octal digits in quotes, such as '0644'.")
        item = File(found["content"], int(mode, 8), found["owner"], found["group"])
        (initial if found["initial"] else wanted)[path] = Entry(item, tuple(found["apps"] or ()))
    for found in links:
        _check_path("path", found["path"], {**wanted, **initial})
        wanted[found["path"]] = Entry(Link(found["target"]), tuple(found["apps"] or ()))
    return wanted, initial


def _check_path(key: str, path: str, taken: dict[str, Entry]) -> None:
    if not path.startswith("/") or os.path.normpath(path) != path:
        raise TreeError(f"{key}: found {path!r}, wanted an absolute path without '..', '//' and a slash at its end.")
    if path in taken:
        raise TreeError(f"{key}: found {path} twice, wanted each path once.")


def to_json(memory: Memory) -> str:
    loaded = {path: {**vars(entry.item), "apps": list(entry.apps)} for path, entry in memory.loaded.items()}
    return json.dumps({**vars(memory), "version": 1, "loaded": loaded}, indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> Memory:
    """The reverse of ``to_json``; a file that was cut short counts as nothing remembered, and what is identical is adopted."""
    try:
        found = json.loads(text)
        loaded = {}
        for path, entry in found["loaded"].items():
            apps = tuple(entry.pop("apps"))
            loaded[path] = Entry(Link(**entry) if "target" in entry else File(**entry), apps)
        return Memory(found["owned"], found["intended"], loaded, found["stale"], found["directories"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Memory()
