# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""A set of files and symlinks as one transaction: compared, written, checked and loaded together."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._adjust import Adjustment, accepted, adjusted
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._blame import Blame, CheckedTree
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._check_errors import text_in
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._disk import (
    HostDisk,
    Rehearsal,
    missing_directories,
    remove_unused,
    unchanged_package_file,
)
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._load import Loader
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import DIRECTORY, MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import (
    Memory,
    Tree,
    TreeEntry,
    diffs,
    digest,
    former,
    joined,
    kind,
    obstacles,
    out_of_scope,
    owned,
    steps,
    to_json,
)
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import Item, missing_account, read, temporary
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Scope
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _includes, _ports


@dataclass(frozen=True)
class TreeRequest:
    """What a tree should be, and how to check and load it.

    :ivar name: the identity of the tree
    :ivar wanted: its files and symlinks
    :ivar initial: files that are only created if they are missing
    :ivar displace: paths of configuration files of packages that have to be removed
    :ivar adjust: changes to configuration files of packages, which are made if the check accepts them
    :ivar check: the argument vector of a program that checks the tree where it is
    :ivar service: the systemd unit that loads the tree
    :ivar load: argument vectors of programs that load the tree, if there is no unit
    :ivar unchanged_apps: apps for which nothing is changed: they keep what was last loaded, new files for them are left out
    :ivar dry: check mode: change nothing
    :ivar stale: load the tree even if nothing in it differs
    :ivar needs: paths outside the tree that the check opens. In check mode, one that is missing will be there in a real run
    :ivar listens: the addresses at which the unit is to listen, see ``nginx._ports.holder``
    :ivar app_listens: of each app, the addresses at which the unit, or systemd if there is none, is to listen for it alone. An
        app of which another process has one keeps what was last loaded
    :ivar included_by_nginx: files of the tree that nginx reads only if its main file includes them
    :ivar notes: of each app, what to remember as long as its files are those of this run
    :ivar scope: the apps that the run may change; the files of all others stay as they are
    :ivar memory_directory: see ``_memory.DIRECTORY``
    """

    name: str
    wanted: Tree
    initial: Tree = field(default_factory=dict)
    displace: Sequence[str] = ()
    adjust: Sequence[Adjustment] = ()
    check: Sequence[str] = ()
    service: str | None = None
    load: Sequence[Sequence[str]] = ()
    unchanged_apps: frozenset[str] = frozenset()
    dry: bool = False
    stale: bool = False
    needs: Sequence[str] = ()
    listens: Sequence[str] = ()
    app_listens: Mapping[str, Sequence[str]] = field(default_factory=dict)
    included_by_nginx: Sequence[str] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    memory_directory: str = DIRECTORY

    @property
    def everything(self) -> Mapping[str, TreeEntry]:
        """Its files and symlinks, with those that are only created."""
        return {**self.initial, **self.wanted}


class Transaction:
    """One run over one tree."""

    def __init__(self, request: TreeRequest):
        self.request = request
        self.name = request.name
        self.dry = request.dry
        self.disk = HostDisk()
        self.loader = Loader(request.name, request.service, request.load)
        self.file = MemoryFile(request.name, request.memory_directory, request.dry)
        self.memory = Memory()
        self.was_stale = False
        self.before: dict[str, Item] = {}
        self.current: dict[str, Item] = {}
        self.ours: set[str] = set()
        self.unwritable: set[str] = set()
        self.unchanged = set(request.unchanged_apps)
        self.blame = Blame(request.name, request.wanted, {}, request.unchanged_apps)
        self.loaded = False
        self.validated = False

    # The order of events; the rest of the class are its steps.

    def converge(self) -> None:
        """Write, check and load the tree.

        :raises StackError: nothing of the tree could be loaded; the message says what was left
        """
        with self.file.lock():
            self._look()
            self._refuse()
            self.disk = self._rehearsal() if self.dry else self.disk
            try:
                self._adjust()
                self._make_initial()
                self._write_what_can_be()
                if self._to_be_loaded():
                    self._check()
            finally:
                self._remember_written()
                self.disk.close()
            if self._to_be_loaded():
                self._load()
            self._remember_loaded()

    def result(self) -> dict[str, Any]:
        """The result of the module. A file that was changed and put back is no change."""
        changed = [path for path in sorted({*self.before, *self.current}) if self.before.get(path) != self.current.get(path)]
        entries = [tree[path] for tree in (self.request.everything, self.blame.earlier) for path in changed if path in tree]
        result = {
            "changed": bool(changed) or self.loaded,
            "written": [path for path in changed if path in self.current],
            "removed": [path for path in changed if path not in self.current],
            "changed_apps": sorted({app for entry in entries for app in entry.apps}),
            "loaded": self.loaded,
            "validated": self.validated,
            "failures": [failure.result(app) for app, failure in sorted(self.blame.failures.items())],
            "diff": diffs(self.before, self.current),
        }
        if self.dry and self.request.check and self.loaded and not self.validated:
            result["msg"] = f"Whether '{' '.join(self.request.check)}' accepts this cannot be known before it is written."
        return result

    def _look(self) -> None:
        self.memory = self.file.read()
        self.was_stale = self.memory.stale
        paths = {*self.request.everything, *self.request.displace, *(change.path for change in self.request.adjust)}
        for path in paths | {*self.memory.owned, *self.memory.intended, *self.memory.loaded}:
            item = read(path)
            if item is not None:
                self.before[path] = item
        self.current = dict(self.before)
        self.ours = owned(self.memory, self.current)
        outside = out_of_scope(self.request.scope, self.memory, self.request.everything)
        self.unchanged |= outside
        self.blame.put_back |= outside
        self.blame.wanted = joined(self.request.wanted, self.memory.loaded, outside, self.request.scope)
        self.blame.earlier = former(self.memory, self.request.wanted, self.current, self.ours, outside)

    def _refuse(self) -> None:
        """Find what prevents the whole tree, or an app, from being written. Nothing has been changed yet.

        :raises StackError: the whole tree cannot be written
        """
        unread = _includes.unread(self.request.included_by_nginx)
        if unread:
            self.memory.stale = True  # when that is right, what is on the disk already has to be loaded
            self.file.write(self.memory)
            raise StackError(self.name, unread)
        self.ours |= _unedited(self.name, {*self.request.displace} & {*self.current} - self.ours)
        problems = obstacles(self.request.wanted, self.current, self.ours)
        if not self.dry:
            problems.update(_without_owner(self.request.everything))
        for path, cause in sorted(problems.items()):
            apps = self.request.everything[path].apps
            if not apps:
                raise StackError(self.name, f"{cause}.")
            if not set(apps) <= self.unchanged:
                self.blame.fail(apps, StackError(self.name, f"{cause}."))
        self.ours |= {path for path in self.request.wanted if path not in problems}
        if self._steps(self.blame.tree()) or self._to_be_loaded():
            if self.request.listens:
                listener, listeners = self.loader.listener, _sockets.listeners()
                taken = _ports.taken(self.request.listens, listeners, listener, "give nginx another port")
                if taken:
                    raise StackError(self.name, taken)
            self._withhold_taken()

    def _withhold_taken(self) -> bool:
        """Put back each app of which another process has an address, or leave it out if its earlier files have that, too.

        :returns: whether there is such an app
        """
        if not self.request.app_listens:
            return False
        before = {*self.blame.put_back}, {*self.blame.left_out}
        listener, listeners = self.loader.listener, _sockets.listeners()
        for app, addresses in sorted(self.request.app_listens.items()):
            taken = _ports.taken(addresses, listeners, listener, "give the app another port")
            if not taken or app in self.blame.left_out:
                continue
            earlier = "".join(text_in(entry) for entry in self.blame.earlier.values() if app in entry.apps)
            if self.loader.stopped and any(address in earlier for address in addresses):
                self.blame.left_out.add(app)
            if app not in before[0]:
                self.blame.fail([app], StackError(self.name, taken))
        return before != (self.blame.put_back, self.blame.left_out)

    def _rehearsal(self) -> Rehearsal:
        # A check by nginx leaves an empty pid file behind if nginx does not run.
        too_early = self.loader.stopped or any(not os.path.exists(path) for path in self.request.needs)
        paths = ({*self.current} | {*self.request.wanted}) - {*self.request.initial}
        return Rehearsal(paths, [] if too_early else self.request.check)

    def _steps(self, tree: Tree) -> list[tuple[str, Item | None]]:
        # A foreign file at the path of an app that is put back is not touched, whatever the app had there before.
        foreign = {path for path in self.current if path not in self.ours} | self.unwritable
        return [step for step in steps(self.current, tree, self.ours) if step[0] not in foreign]

    def _adjust(self) -> None:
        """Change files of packages. They do not become ours, and stay changed whatever becomes of the tree."""
        wanted = adjusted(self.request.adjust, self.current)
        if wanted:
            self.memory.stale = True
            self.file.write(self.memory)
            self.current.update(accepted(wanted, self.current, self.disk, self.request.check))
            self.memory.stale = self.was_stale or self.current != self.before
            self.file.write(self.memory)

    def _make_initial(self) -> None:
        for path, entry in sorted(self.request.initial.items()):
            if path not in self.current and not set(entry.apps) & self.blame.put_back:
                self._write_steps([(path, entry.item)])
        self.ours -= {*self.request.initial}

    def _write_what_can_be(self) -> None:
        """Write the tree. An app with a file that cannot be written keeps what it had.

        :raises StackError: it is the file of no app
        """
        while True:
            before = len(self.unwritable)
            self._write(self.blame.tree())
            if len(self.unwritable) == before:
                return

    def _write(self, tree: Tree) -> None:
        todo = self._steps(tree)
        if not todo:
            return
        missing = {directory for path, item in todo if item for directory in missing_directories(path)}
        self.memory.directories = sorted({*self.memory.directories, *missing})
        going = {path for path, item in todo if item is None} & {*self.request.displace}
        self.memory.displaced.update({path: TreeEntry(self.current[path]) for path in going})
        self.memory.intended.update({path: digest(item) for path, item in todo if item})
        self.memory.stale = True
        self.file.write(self.memory)
        self._write_steps(todo)

    def _write_steps(self, todo: list[tuple[str, Item | None]]) -> None:
        for path, item in todo:
            try:
                self._take(path, item)
            except OSError as error:
                entry = self.request.everything.get(path) or self.blame.earlier.get(path)
                apps = entry.apps if entry else ()
                if not apps:
                    raise StackError(self.name, f"{path} cannot be written ({error.strerror}), {self._restore()}.") from None
                self.unwritable.add(path)
                cause = f"{path} cannot be written ({error.strerror}), so what is there stays in force; {_fix(error, path)}."
                self.blame.fail(apps, StackError(self.name, cause))

    def _take(self, path: str, item: Item | None) -> None:
        if item is None:
            self.disk.remove(path)
            self.current.pop(path)
        else:
            self.disk.write(path, item)
            self.current[path] = item
            self.ours.add(path)

    def _restore(self) -> str:
        """Put everything back to what was last loaded.

        :returns: what became of it, for the message
        """
        tree = {
            **self.blame.earlier,
            **{path: TreeEntry(self.before[path]) for path in self.request.displace if path in self.before},
        }
        for path, item in self._steps(tree):
            try:
                self._take(path, item)
            except OSError as error:
                return f"and putting back {path} failed too ({error.strerror}); what was last loaded is in {self.file.path}"
        return "and everything was put back to what was last loaded"

    def _check(self) -> None:
        if not self.request.check or not self.disk.can_check:
            return
        checked = CheckedTree(
            self.blame,
            self._write,
            lambda: self.disk.check(self.request.check),
            lambda: self.loader.stopped,
            lambda: "so nothing would be loaded" if self.dry else f"so nothing was loaded, {self._restore()}",
        )
        checked.settle()
        self.validated = True

    def _load(self) -> None:
        """Load the tree. What an address that was taken in the meantime is for is put back first.

        :raises StackError: that failed
        """
        while not self.dry:
            try:
                self.loader.load()
                break
            except StackError:
                if not self._withhold_taken():
                    raise
                self._write(self.blame.tree())
                self._check()
                self._remember_written()
        self.loaded = bool(self.loader)

    def _to_be_loaded(self) -> bool:
        if self.memory.stale or self.request.stale:
            return True
        paths = {*self.request.wanted, *self.memory.owned, *self.memory.loaded}
        now = {path: item for path, item in self.current.items() if path in paths and path in self.ours}
        return now != {path: entry.item for path, entry in self.memory.loaded.items()} or self.loader.due

    def _remember_written(self) -> None:
        """Save what is there now, and remove directories that are no longer needed."""
        noted = to_json(self.memory)
        paths = ({*self.request.wanted, *self.memory.owned, *self.memory.loaded} | set(self.memory.intended)) & self.ours
        self.memory.owned = {path: kind(self.current[path]) for path in sorted(paths) if path in self.current}
        self.memory.intended = {}
        self.memory.stale = self.was_stale or self.current != self.before
        if not self.dry:
            remove_unused(self.memory.directories, self.memory.owned)
        self.memory.directories = [directory for directory in self.memory.directories if os.path.isdir(directory)]
        if to_json(self.memory) != noted:
            self.file.write(self.memory)

    def _remember_loaded(self) -> None:
        noted = to_json(self.memory)
        self.memory.stale = False
        apps = {
            **{path: self._left(entry) for path, entry in self.blame.earlier.items()},
            **{path: entry.apps for path, entry in self.blame.wanted.items()},
        }
        self.memory.loaded = {path: TreeEntry(self.current[path], apps.get(path, ())) for path in self.memory.owned}
        notes = self._notes()
        self.memory.notes = {app: note for app, note in notes.items() if app not in self.blame.left_out}
        if to_json(self.memory) != noted:
            self.file.write(self.memory)

    def _left(self, entry: TreeEntry) -> tuple[str, ...]:
        """The apps that still need a file which is there as before."""
        return tuple(app for app in entry.apps if app in self.blame.put_back) or entry.apps

    def _notes(self) -> dict[str, Any]:
        """The notes of this run, and the earlier ones of the apps that keep what they have."""
        notes = {**self.request.notes, **{app: self.memory.notes.get(app) for app in self.blame.put_back}}
        return {app: note for app, note in notes.items() if note is not None}


def _fix(error: OSError, path: str) -> str:
    """What to do about a file that cannot be written. Pure."""
    if error.errno == errno.EPERM:
        return f"make it mutable (chattr -i {path}) and run again"
    if error.errno in (errno.EISDIR, errno.ENOTDIR):
        return f"move {temporary(path)} away and run again"
    return "fix that and run again"


def _unedited(step: str, paths: set[str]) -> set[str]:
    """Some files of packages, of which none may be edited."""
    for path in sorted(paths):
        if not unchanged_package_file(path):
            raise StackError(
                step,
                f"{path} has to go, but it is not as its Debian package shipped it, so it stays;"
                f" take over what you need from it, remove it and run again.",
            )
    return paths


def _without_owner(tree: Mapping[str, TreeEntry]) -> dict[str, str]:
    """The paths of files whose user or group does not exist, each with the cause."""
    missing = {path: missing_account(entry.item) for path, entry in tree.items()}
    return {
        path: f"{path} should belong to {name}, which does not exist; create it first" for path, name in missing.items() if name
    }
