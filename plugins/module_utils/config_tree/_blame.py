# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Find the apps whose files make a check fail, and put their files back until it passes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._check_errors import (
    CheckError,
    errors,
    fix,
    others,
    places,
    quoted,
)
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import Tree, target
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed


class Blame:
    """Which apps have their new files, which their earlier ones, and which none.

    :param name: the name of the tree, which is the step of failures
    :param wanted: the tree that is wanted
    :param earlier: the tree that was last loaded
    :param unchanged: apps that keep what was last loaded
    """

    def __init__(self, name: str, wanted: Tree, earlier: Tree, unchanged: Iterable[str]):
        self.name = name
        self.wanted = wanted
        self.earlier = earlier
        self.put_back: set[str] = set(unchanged)
        self.left_out: set[str] = set()
        self.failures: dict[str, StackError] = {}

    def tree(self, put_back: set[str] | None = None) -> Tree:
        """The tree as it should be now.

        :param put_back: the apps that get their earlier files; by default those that were found so far
        """
        return target(self.wanted, self.earlier, self.put_back if put_back is None else put_back, self.left_out)

    def fail(self, apps: Iterable[str], failure: StackError) -> None:
        """Note a failure of some apps, and put their files back."""
        for app in apps:
            self.failures.setdefault(app, failure)
            self.put_back.add(app)

    def movable(self, apps: set[str], tree: Tree) -> list[str]:
        """The apps of which putting back changes the tree: each by itself, otherwise all together."""
        new = sorted(apps - self.put_back)
        found = [app for app in new if self.tree({*self.put_back, app}) != tree]
        return found or (new if new and self.tree({*self.put_back, *new}) != tree else [])


class CheckedTree:
    """Check a tree that is written, and put apps back until it passes.

    :param blame: the apps; it has the failures afterwards
    :param write: writes a tree
    :param check: runs the check
    :param stopped: whether the service that loads the tree does not run
    :param give_up: puts everything back; returns what became of it, for the message
    """

    def __init__(
        self,
        blame: Blame,
        write: Callable[[Tree], None],
        check: Callable[[], Completed],
        stopped: Callable[[], bool],
        give_up: Callable[[], str],
    ):
        self.blame = blame
        self.write = write
        self.check = check
        self.stopped = stopped
        self.give_up = give_up
        self.log = ""

    def settle(self) -> None:
        """Check the tree, and put apps back until it passes.

        :raises StackError: the error is in the files of no app
        """
        while True:
            tree = self.blame.tree()
            self.write(tree)
            found = self._errors()
            fatal = [error for error in found if error.fatal]
            blamed = [(error, self._culprits(error, tree)) for error in found]
            if not any(apps for _error, apps in blamed):
                if not fatal:
                    return
                blamed = self._tried_one_by_one(fatal[0])
                if not blamed:  # the error was temporary, such as a name server that did not respond
                    return
            for error, apps in blamed:
                self._put_back(error, apps, tree)

    def _errors(self) -> list[CheckError]:
        checked = self.check()
        self.log = checked.output
        return errors(checked)

    def _culprits(self, error: CheckError, tree: Tree) -> list[str]:
        """The apps that an error is about, if something can be done about them."""
        found = {app for path, _line in places(error, tree) for app in tree[path].apps}
        apps = self.blame.movable(found, tree)
        if not apps and not error.fatal:
            # Not written by this run: it is reported, and the files stay.
            for app in sorted(found - self.blame.put_back):
                self.blame.failures.setdefault(app, self._failure(error, tree, "as before this run", app))
        if not apps and error.fatal and self.stopped():
            apps = sorted(found - self.blame.left_out)
        return apps

    def _put_back(self, error: CheckError, apps: list[str], tree: Tree) -> None:
        for app in apps:
            if app in self.blame.put_back:
                self.blame.left_out.add(app)
            self.blame.put_back.add(app)
        for app in apps:
            stays = app not in self.blame.left_out and any(app in entry.apps for entry in self.blame.earlier.values())
            outcome = "so what it had before stays in force" if stays else "so it is left out"
            self.blame.failures[app] = self._failure(error, tree, outcome, app)

    def _failure(self, error: CheckError, tree: Tree, outcome: str, app: str | None = None) -> StackError:
        mine = [path for path, _line in places(error, tree) if app in tree[path].apps]
        elsewhere = others(error, tree)
        also = f", and {' and '.join(elsewhere)} has it too" if elsewhere else ""
        cause = f"{quoted(error, tree, mine[0] if mine else None)}{also}, {outcome}; {fix(error)}."
        return StackError(self.blame.name, cause, self.log)

    def _tried_one_by_one(self, error: CheckError) -> list[tuple[CheckError, list[str]]]:
        """Find the apps behind an error that names none of their files: put all back, then try each alone.

        :raises StackError: it is none of them
        """
        blame = self.blame
        whole = blame.tree()
        apps = sorted({app for entry in blame.wanted.values() for app in entry.apps} - blame.put_back)
        good = {*blame.put_back, *apps}
        if blame.tree(good) == whole or self._first_error(good):
            raise self._failure(error, whole, self.give_up())
        culprits = []
        for app in apps:
            found = self._first_error(good - {app})
            if found:
                culprits.append((found, [app]))
            else:
                good -= {app}
        return culprits

    def _first_error(self, put_back: set[str]) -> CheckError | None:
        """Write the tree with some apps put back, and check it."""
        self.write(self.blame.tree(put_back))
        return next((error for error in self._errors() if error.fatal), None)
