# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of files and links as one transaction: compared, written, checked and loaded together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._disk import (
    Disk,
    Rehearsal,
    missing_directories,
    unchanged_package_file,
)
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._objections import (
    Objection,
    fix,
    objections,
    others,
    places,
    quoted,
)
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import (
    Entry,
    Memory,
    TreeError,
    diffs,
    digest,
    former,
    from_json,
    kind,
    obstacles,
    owned,
    steps,
    target,
    to_json,
)
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Item, missing_account, read, write
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _reload
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import last_error

MEMORY = "/var/lib/wsgi/config_tree"
"""Where each tree keeps what it wrote and what was last loaded, in one file a tree."""
STAYS = "the files are written, and the next run loads them"


class Transaction:
    """One run over one tree.

    :param name: the identity of the tree
    :param wanted: the tree
    :param initial: files that are made where they are missing, and are nobody's from then on
    :param displace: paths of a package's files that must not be there
    :param check: the argument vector of a program that checks the tree where it lies
    :param service: the systemd unit that loads the tree
    :param load: argument vectors that load the tree, where there is no service
    :param held: apps for which nothing is changed: they keep what was last loaded, and what is new for them is left out
    :param dry: check mode: say what would be done
    :param stale: load the tree even if nothing of it differs
    :param needs: paths that the check opens and that are not of the tree; what is not there yet in check mode will be later
    """

    def __init__(
        self,
        name: str,
        wanted: dict[str, Entry],
        initial: dict[str, Entry],
        displace: list[str],
        check: list[str],
        service: str | None,
        load: list[list[str]],
        held: frozenset[str] = frozenset(),
        dry: bool = False,
        memory_directory: str = MEMORY,
        stale: bool = False,
        needs: Iterable[str] = (),
    ):
        self.name = name
        self.wanted = wanted
        self.initial = initial
        self.displace = displace
        self.check = check
        self.service = service
        self.load = load
        self.dry = dry
        self.disk = Disk()
        self.stale = stale
        self.needs = list(needs)
        self.memory_path = os.path.join(memory_directory, f"{name}.json")
        self.memory = Memory()
        self.before: dict[str, Item] = {}
        self.current: dict[str, Item] = {}
        self.ours: set[str] = set()
        self.earlier: dict[str, Entry] = {}
        self.held = held
        self.put_back: set[str] = set(held)
        self.left_out: set[str] = set()
        self.failures: dict[str, StackError] = {}
        self.loaded = False
        self.validated = False
        self.was_stale = False
        self.log = ""
        self.last: Objection | None = None

    # The order of events; the rest of the class is its vocabulary.

    def converge(self) -> None:
        """Do it all.

        :raises TreeError: nothing of the tree could be brought into force; the message says what was left
        """
        with self._lock():
            self._look()
            self._refuse()
            self.disk = self._rehearsal() if self.dry else self.disk
            try:
                self._make_initial()
                self._write()
                if self._to_be_loaded():
                    self._settle()
            finally:
                self._remember_written()
                self.disk.close()
            if self._to_be_loaded():
                self._load()
            self._remember_loaded()

    def result(self) -> dict[str, Any]:
        """What the module returns; ``changed`` is about the outcome: what was put back as it was is no change."""
        changed = [path for path in sorted({*self.before, *self.current}) if self.before.get(path) != self.current.get(path)]
        result = {
            "changed": bool(changed) or self.loaded,
            "written": [path for path in changed if path in self.current],
            "removed": [path for path in changed if path not in self.current],
            "loaded": self.loaded,
            "validated": self.validated,
            "failures": [failure.result(app) for app, failure in sorted(self.failures.items())],
            "diff": diffs(self.before, self.current),
        }
        if self.dry and self.check and self.loaded and not self.validated:
            result["msg"] = f"Whether '{' '.join(self.check)}' accepts this cannot be known before it is written."
        return result

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        if self.dry:
            yield
            return
        directory = os.path.dirname(self.memory_path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with locked(directory):
            yield

    def _look(self) -> None:
        memory = read(self.memory_path)
        self.memory = from_json(memory.content) if isinstance(memory, File) else Memory()
        self.was_stale = self.memory.stale
        for path in {*self.wanted, *self.initial, *self.displace, *self.memory.owned, *self.memory.intended, *self.memory.loaded}:
            item = read(path)
            if item is not None:
                self.before[path] = item
        self.current = dict(self.before)
        self.ours = owned(self.memory, self.current)
        self.earlier = former(self.memory, self.wanted, self.current, self.ours)

    def _refuse(self) -> None:
        """Nothing is touched yet. What stands in the tree's way stops it, what stands in an app's way stops that app."""
        for path in self.displace:
            if path in self.current and path not in self.ours:
                if not unchanged_package_file(path):
                    raise TreeError(
                        f"{self.name}: {path} has to go, but it is not as its Debian package shipped it, so it stays;"
                        f" take over what you need from it, remove it and run again."
                    )
                self.ours.add(path)
        problems = obstacles(self.wanted, self.current, self.ours)
        if not self.dry:
            for path, entry in {**self.initial, **self.wanted}.items():
                missing = missing_account(entry.item)
                if missing:
                    problems[path] = f"{path} shall belong to {missing}, which is not there; create it first"
        for path, sentence in sorted(problems.items()):
            apps = {**self.initial, **self.wanted}[path].apps
            if not apps:
                raise TreeError(f"{self.name}: {sentence}.")
            if set(apps) <= self.held:
                continue
            self._fail(apps, StackError(self.name, f"{sentence}."))
        self.ours |= {path for path in self.wanted if path not in problems}

    def _rehearsal(self) -> Rehearsal:
        # nginx that is not running leaves an empty file for its process id behind when it checks.
        idle = self.service and not self._unit()["active"]
        early = any(not os.path.exists(path) for path in self.needs)
        return Rehearsal(({*self.current} | {*self.wanted}) - {*self.initial}, [] if idle or early else self.check)

    def _fail(self, apps: tuple[str, ...] | list[str], failure: StackError) -> None:
        for app in apps:
            self.failures.setdefault(app, failure)
            self.put_back.add(app)

    def _tree(self, put_back: set[str] | None = None) -> dict[str, Entry]:
        return target(self.wanted, self.earlier, self.put_back if put_back is None else put_back, self.left_out)

    def _steps(self, tree: dict[str, Entry]) -> list[tuple[str, Item | None]]:
        # What lay in the way of an app that is put back is not touched, whatever the app had there before.
        foreign = {path for path in self.current if path not in self.ours}
        return [step for step in steps(self.current, tree, self.ours) if step[0] not in foreign]

    def _make_initial(self) -> None:
        for path, entry in sorted(self.initial.items()):
            if path not in self.current and not set(entry.apps) & self.put_back:
                self._write_steps([(path, entry.item)])
        self.ours -= {*self.initial}

    def _write(self, tree: dict[str, Entry] | None = None) -> None:
        todo = self._steps(self._tree() if tree is None else tree)
        if not todo:
            return
        missing = {directory for path, item in todo if item for directory in missing_directories(path)}
        self.memory.directories = sorted({*self.memory.directories, *missing})
        self.memory.intended.update({path: digest(item) for path, item in todo if item})
        self.memory.stale = True
        self._remember()
        self._write_steps(todo)

    def _write_steps(self, todo: list[tuple[str, Item | None]]) -> None:
        for step in todo:
            try:
                self._take(*step)
            except OSError as error:
                raise TreeError(f"{self.name}: {step[0]} cannot be written ({error.strerror}), {self._restore()}.") from None

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

        :returns: what became of it, for the sentence that says why
        """
        tree = {**self.earlier, **{path: Entry(self.before[path]) for path in self.displace if path in self.before}}
        for path, item in self._steps(tree):
            try:
                self._take(path, item)
            except OSError as error:
                return f"and putting back {path} failed too ({error.strerror}); what was last loaded is in {self.memory_path}"
        return "and everything was put back to what was last loaded"

    def _settle(self) -> None:
        """Check what is written, and put apps back one after the other until it passes."""
        if not self.check or not self.disk.can_check:
            return
        while True:
            tree = self._tree()
            self._write(tree)
            found = self._objections()
            fatal = [objection for objection in found if objection.fatal]
            blamed = [(objection, self._blamed(objection, tree)) for objection in found]
            if not any(apps for _objection, apps in blamed):
                if not fatal:
                    break
                blamed = self._tried_one_by_one(fatal[0])
                if not blamed:  # it came and went, as a name server's silence does
                    break
            for objection, apps in blamed:
                self._blame(objection, apps, tree)
        self.validated = True

    def _objections(self) -> list[Objection]:
        checked = self.disk.check(self.check)
        self.log = checked.output
        return objections(checked)

    def _blamed(self, objection: Objection, tree: dict[str, Entry]) -> list[str]:
        """The apps that an objection is about and that something can be done about."""
        found = {app for path, _line in places(objection, tree) for app in tree[path].apps}
        apps = [app for app in sorted(found - self.put_back) if self._tree({*self.put_back, app}) != tree]
        together = sorted(found - self.put_back)
        if not apps and together and self._tree({*self.put_back, *together}) != tree:
            apps = together
        if not apps and not objection.fatal:
            # Nothing that this run wrote: it is said, and what is in force stays.
            for app in together:
                self.failures.setdefault(app, self._failure(objection, tree, "as before this run", app))
        if not apps and objection.fatal and self.service and not self._unit()["active"]:
            apps = sorted(found - self.left_out)
        return apps

    def _blame(self, objection: Objection, apps: list[str], tree: dict[str, Entry]) -> None:
        for app in apps:
            if app in self.put_back:
                self.left_out.add(app)
            self.put_back.add(app)
        for app in apps:
            stays = app not in self.left_out and any(app in entry.apps for entry in self.earlier.values())
            outcome = "so what it had before stays in force" if stays else "so it is left out"
            self.failures[app] = self._failure(objection, tree, outcome, app)

    def _failure(self, objection: Objection, tree: dict[str, Entry], outcome: str, app: str) -> StackError:
        return StackError(self.name, self._sentence(objection, tree, outcome, app), self.log)

    def _sentence(self, objection: Objection, tree: dict[str, Entry], outcome: str, app: str | None = None) -> str:
        mine = [path for path, _line in places(objection, tree) if app in tree[path].apps]
        elsewhere = others(objection, tree)
        also = f", and {' and '.join(elsewhere)} has it too" if elsewhere else ""
        return f"{quoted(objection, tree, mine[0] if mine else None)}{also}, {outcome}; {fix(objection)}."

    def _tried_one_by_one(self, objection: Objection) -> list[tuple[Objection, list[str]]]:
        """Find the apps behind an error that names none of their files: put all back, then try each alone.

        :raises TreeError: it is none of them
        """
        whole = self._tree()
        apps = sorted({app for entry in self.wanted.values() for app in entry.apps} - self.put_back)
        good = {*self.put_back, *apps}
        if self._tree(good) == whole or not self._passes(good):
            outcome = "so nothing would be loaded" if self.dry else f"so nothing was loaded, {self._restore()}"
            raise TreeError(f"{self.name}: {self._sentence(objection, whole, outcome)}")
        culprits = []
        for app in apps:
            if self._passes(good - {app}):
                good -= {app}
            elif self.last:
                culprits.append((self.last, [app]))
        return culprits

    def _passes(self, put_back: set[str]) -> bool:
        self._write(self._tree(put_back))
        fatal = [objection for objection in self._objections() if objection.fatal]
        self.last = fatal[0] if fatal else None
        return not fatal

    def _unit(self) -> dict[str, Any]:
        values = _systemd.properties(str(self.service), ["ActiveState", "UnitFileState", "MainPID"])
        return {
            "active": values.get("ActiveState") in ("active", "reloading"),
            "disabled": values.get("UnitFileState") == "disabled",
            "pid": int(values.get("MainPID") or 0),
        }

    def _to_be_loaded(self) -> bool:
        if self.memory.stale or self.stale:
            return True
        paths = {*self.wanted, *self.memory.owned, *self.memory.loaded}
        now = {path: item for path, item in self.current.items() if path in paths and path in self.ours}
        if now != {path: entry.item for path, entry in self.memory.loaded.items()}:
            return True
        if not self.service:
            return False
        unit = self._unit()
        return not unit["active"] or unit["disabled"]

    def _load(self) -> None:
        if not self.dry:
            for argv in self.load:
                self._load_with(argv)
            if self.service:
                self._load_service(self.service)
        self.loaded = bool(self.load or self.service)

    def _load_service(self, service: str) -> None:
        before = self._unit()
        if before["disabled"]:
            self._load_with(["systemctl", "enable", "--quiet", service])
        reload = _reload.Reload(before["pid"]) if before["active"] else None
        self._load_with(["systemctl", "reload-or-restart", service])
        if not self._unit()["active"]:
            raise TreeError(f"{self.name}: {service} was started and has ended, see journalctl -u {service}; {STAYS}.")
        complaint = reload.cause_of_failure() if reload else ""
        if complaint:
            raise TreeError(f"{self.name}: {complaint}; {STAYS}.")

    def _load_with(self, argv: list[str]) -> None:
        ended = run(argv, timeout=300)
        if ended.code != 0:
            cause = ended.last_line
            if self.service:  # systemctl only refers to the journal
                cause = last_error(_systemd.journal([_systemd.written_by(self.service)], lines=30)) or cause
            raise TreeError(f"{self.name}: '{' '.join(argv)}' failed: {cause}; {STAYS}.")

    def _remember(self) -> None:
        if self.dry:
            return
        write(self.memory_path, File(to_json(self.memory), 0o600, str(os.geteuid()), str(os.getegid())))

    def _remember_written(self) -> None:
        """Note what is there now; the directories that are no longer needed go."""
        noted = to_json(self.memory)
        paths = ({*self.wanted, *self.memory.owned, *self.memory.loaded} | set(self.memory.intended)) & self.ours
        self.memory.owned = {path: kind(self.current[path]) for path in sorted(paths) if path in self.current}
        self.memory.intended = {}
        self.memory.stale = self.was_stale or self.current != self.before
        for directory in sorted(self.memory.directories, reverse=True):
            with contextlib.suppress(OSError):
                if not self.dry and not any(path.startswith(f"{directory}/") for path in self.memory.owned):
                    os.rmdir(directory)
            if not os.path.isdir(directory):
                self.memory.directories.remove(directory)
        if to_json(self.memory) != noted:
            self._remember()

    def _remember_loaded(self) -> None:
        noted = to_json(self.memory)
        self.memory.stale = False
        apps = {path: entry.apps for path, entry in {**self.earlier, **self.wanted}.items()}
        self.memory.loaded = {path: Entry(self.current[path], apps.get(path, ())) for path in self.memory.owned}
        if to_json(self.memory) != noted:
            self._remember()
