# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""A tree of files and symlinks as values: what is there, what is wanted, and the steps from one to the other. Pure."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Item, Link, Other
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Scope


@dataclass(frozen=True)
class TreeEntry:
    """A file or symlink.

    :ivar apps: the apps that need it; () if it belongs to no app, so that an error in it stops the whole tree
    """

    item: Item
    apps: tuple[str, ...] = ()


Tree = dict[str, TreeEntry]
"""The entries by path."""


@dataclass
class Memory:
    """What is saved about a tree from run to run.

    :ivar owned: the paths that were written, each with its ``kind``
    :ivar intended: digests of what was about to be written. After a run that was killed, a file with such a digest is ours
    :ivar loaded: the tree that was last loaded, with its content, to put it back even if a killed run has overwritten it
    :ivar stale: whether anything was written or removed since then
    :ivar directories: the directories that were created
    :ivar notes: what the caller noted of each app whose files were last loaded
    :ivar displaced: the configuration files of packages that were removed
    """

    owned: dict[str, str] = field(default_factory=dict)
    intended: dict[str, str] = field(default_factory=dict)
    loaded: Tree = field(default_factory=dict)
    stale: bool = False
    directories: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    displaced: Tree = field(default_factory=dict)

    @property
    def apps(self) -> set[str]:
        """The apps with something in the tree."""
        return {app for entry in self.loaded.values() for app in entry.apps} | {*self.notes}


def kind(item: Item) -> str:
    """``file``, ``link`` or ``other``."""
    return {File: "file", Link: "link", Other: "other"}[type(item)]


def digest(item: Item) -> str:
    """A digest of the content and the attributes."""
    return hashlib.sha256(repr(item).encode(errors="surrogateescape")).hexdigest()


def owned(memory: Memory, current: dict[str, Item]) -> set[str]:
    """The paths with items of ours: written earlier and still of the same kind, or written by a run that was killed."""
    return {
        path
        for path, item in current.items()
        if memory.owned.get(path) == kind(item) or memory.intended.get(path) == digest(item)
    }


def obstacles(wanted: Tree, current: dict[str, Item], ours: set[str]) -> dict[str, str]:
    """The wanted paths with something that this tree did not write, each with the cause. What is identical is taken over."""
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


def out_of_scope(scope: Scope, memory: Memory, wanted: Mapping[str, TreeEntry]) -> set[str]:
    """The apps that a run may not change: those of other lists, and those that it is not about.

    An app of which something is wanted is one of the run's list, also before that is recorded.
    """
    own = {app for entry in wanted.values() for app in entry.apps}
    unselected = {app for app in own if scope.only and app.partition(".")[0] not in scope.only}
    return {app for app in memory.apps - own if not scope.has(app)} | unselected


def joined(wanted: Tree, loaded: Tree, outside: Collection[str], scope: Scope) -> Tree:
    """The wanted tree, in which an item belongs to those apps, too, that the run may not change and that need it already.

    If nothing is wanted, what belongs to no app stays for them.
    """
    found = dict(wanted)
    if not wanted and (outside or scope.only):
        found = {path: entry for path, entry in loaded.items() if not entry.apps}
    for path, entry in wanted.items():
        if entry.apps and path in loaded:
            others = [app for app in loaded[path].apps if app in outside and app not in entry.apps]
            found[path] = TreeEntry(entry.item, (*entry.apps, *others))
    return found


def former(memory: Memory, wanted: Tree, current: dict[str, Item], ours: set[str], outside: Collection[str] = ()) -> Tree:
    """What to put back: the tree that was last loaded, and what was there before and is taken over now.

    :param outside: the apps that the run may not change. Theirs is what is there, even if it was edited by hand or removed, but
        not what a run has left that was killed.
    """
    adopted = {
        path: TreeEntry(current[path], entry.apps) for path, entry in wanted.items() if path in current and path not in ours
    }
    loaded = dict(memory.loaded)
    for path, entry in memory.loaded.items():
        if entry.apps and set(entry.apps) <= {*outside} and path not in memory.intended:
            del loaded[path]
            if path in current:
                loaded[path] = TreeEntry(current[path], entry.apps)
    return {**adopted, **loaded}


def target(wanted: Tree, earlier: Tree, put_back: set[str], left_out: frozenset[str] | set[str] = frozenset()) -> Tree:
    """The tree with the earlier files of some apps and without the files of others.

    An item of several apps is put back when all of them are: an app without an error needs the new one. One that is not wanted
    any more stays for those that are put back. Apps that are only in the earlier tree do not count, unless they are put back.

    :param put_back: apps that get their earlier files
    :param left_out: apps that get no files
    """
    known = {app for entry in wanted.values() for app in entry.apps} | put_back
    tree = {}
    for path in {*wanted, *earlier}:
        apps = {app for app in (wanted.get(path) or earlier[path]).apps if app in known}
        if apps and apps <= left_out:
            continue
        staying = put_back - left_out if path not in wanted else set()
        source = earlier if apps & staying or (apps and apps <= put_back | left_out) else wanted
        if path in source:
            tree[path] = source[path]
    return tree


def steps(current: dict[str, Item], tree: Tree, ours: set[str]) -> list[tuple[str, Item | None]]:
    """What to write (an item) and what to remove (None), in an order in which no symlink is ever dangling.

    :param ours: the paths that may be removed
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

    :param conffiles: the output of ``dpkg-query -W -f '${Conffiles}'``: a path and an MD5 sum on each line
    """
    return any(line.split()[:2] == [path, md5] for line in conffiles.splitlines())


def diffs(before: dict[str, Item], after: dict[str, Item]) -> list[dict[str, str]]:
    """The differences in the format of Ansible's diff mode."""
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
    """Whether one is there and the other is not, or they are of different kinds."""
    return type(one) is not type(two)


def _text(item: Item | None) -> str:
    if isinstance(item, File):
        return item.content.encode(errors="surrogateescape").decode(errors="replace")
    return f"{item.target}\n" if isinstance(item, Link) else ""


def _attributes(item: Item | None) -> str:
    if isinstance(item, File):
        return f"{item.mode:04o} {item.owner}:{item.group}"
    return "a link" if isinstance(item, Link) else "absent" if item is None else item.kind


def entries(
    files: list[dict[str, Any]], links: list[dict[str, Any]], replace: Mapping[str, str] | None = None
) -> tuple[Tree, Tree]:
    """The wanted tree from the module's options, and the files that are only created if they are missing.

    :param replace: see ``replaced``
    :raises StackError: a path is not absolute and normalized or is given twice, or a mode is not four octal digits
    """
    wanted: Tree = {}
    initial: Tree = {}
    for found in files:
        path, mode = found["dest"], found["mode"]
        _check_path("dest", path, {**wanted, **initial})
        if not re.fullmatch(r"0[0-7]{3}", mode):
            raise StackError(
                "config_tree", f"mode of {path}: {mode!r} is not four octal digits; write it in quotes, such as '0644'."
            )
        item = File(replaced(found["content"], replace or {}), int(mode, 8), found["owner"], found["group"])
        (initial if found["initial"] else wanted)[path] = TreeEntry(item, tuple(found["apps"] or ()))
    for found in links:
        _check_path("path", found["path"], {**wanted, **initial})
        wanted[found["path"]] = TreeEntry(Link(found["target"]), tuple(found["apps"] or ()))
    return wanted, initial


def replaced(content: str, replace: Mapping[str, str]) -> str:
    """A text with other texts in place of some.

    :param replace: what stands for each text. If that is a line of its own, there can be several lines, which get its
        indentation, or none.
    """
    if not replace:
        return content
    names = "|".join(re.escape(text) for text in sorted(replace, key=len, reverse=True))

    def lines(found: re.Match[str]) -> str:
        indented = [f"{found[1]}{line}" for line in replace[found[2]].splitlines()]
        return "\n".join(indented) + found[3] if indented else ""

    content = re.sub(rf"^([ \t]*)({names})[ \t]*(\n|\Z)", lines, content, flags=re.MULTILINE)
    return re.sub(names, lambda found: replace[found[0]], content)


def _check_path(key: str, path: str, taken: Tree) -> None:
    if not path.startswith("/") or os.path.normpath(path) != path:
        cause = f"{key}: {path!r} is not a plain absolute path; write it without '..', '//' and a slash at its end."
        raise StackError("config_tree", cause)
    if path in taken:
        raise StackError("config_tree", f"{key}: {path} is given twice; remove one of them.")


def to_json(memory: Memory) -> str:
    """The text of a memory file."""
    trees = {
        name: {path: {**vars(entry.item), "apps": list(entry.apps)} for path, entry in tree.items()}
        for name, tree in (("loaded", memory.loaded), ("displaced", memory.displaced))
    }
    return json.dumps({**vars(memory), "version": 1, **trees}, indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> Memory:
    """The reverse of ``to_json``. A truncated file counts as empty; then identical files are taken over."""
    try:
        found = json.loads(text)
        trees: dict[str, Tree] = {"loaded": {}, "displaced": {}}
        for name, tree in trees.items():
            for path, entry in found.get(name, {}).items():
                apps = tuple(entry.pop("apps"))
                tree[path] = TreeEntry(Link(**entry) if "target" in entry else File(**entry), apps)
        rest = {key: found[key] for key in ("owned", "intended", "stale", "directories")}
        return Memory(**rest, loaded=trees["loaded"], displaced=trees["displaced"], notes=found.get("notes", {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Memory()
