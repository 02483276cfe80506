# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Makes the users, groups and directories of apps, by systemd-sysusers and systemd-tmpfiles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import Account, App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _directories, _ownership
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._transaction import Transaction, TreeRequest
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import TreeEntry
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _locks
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Scope

SYSUSERS = "/etc/sysusers.d/wsgi.conf"
TMPFILES = "/etc/tmpfiles.d/wsgi.conf"
POLKIT = "/etc/polkit-1/rules.d/10-wsgi.rules"
TREE = "app"
"""The name of the three as a tree of ``config_tree``."""

MANAGED = "Managed by wsgi.stack; changes here are overwritten."
HEAD = f"# {MANAGED}"


@dataclass(frozen=True)
class AccountsRequest:
    """What holds for all apps.

    :ivar directory: the root of builds, releases and data
    :ivar runtime_directory: the root of the sockets
    :ivar nginx_group: the group of nginx's workers
    :ivar scope: the apps that the run may change; what is declared for all others stays
    :ivar check: check mode
    """

    directory: str
    runtime_directory: str
    nginx_group: str
    scope: Scope = field(default_factory=Scope)
    check: bool = False


def account(app: App) -> Account:
    """What is noted of an app. Pure."""
    return {
        "name": app["name"],
        "user": app["user"],
        "group": app["group"],
        "directory": app["directory"],
        "runtime_directory": app["runtime_directory"],
    }


def declared(apps: Sequence[App], noted: Mapping[str, Account], scope: Scope) -> list[Account]:
    """The apps that the three files are about, by name: some, and those that the run may not change. Pure.

    :param noted: those that the files are about now
    """
    others = {name: found for name, found in noted.items() if not scope.has(name)}
    found = {**others, **{app["name"]: account(app) for app in apps}}
    return [found[name] for name in sorted(found)]


def sysusers(apps: Sequence[Account]) -> str:
    """The text of the file for sysusers.d(5). Pure."""
    users = [
        f'u {app["user"]} - "{_ownership.FULL_NAME.format(name=app["name"])}" {app["directory"]} /usr/sbin/nologin'
        for app in apps
    ]
    return "\n".join([HEAD, *users, ""])


def tmpfiles(apps: Sequence[Account], request: AccountsRequest) -> str:
    """The text of the file for tmpfiles.d(5). Pure."""
    lines = [
        HEAD,
        "# An app's code is root's: the app may read it, and nginx may go through to its static files. Nobody else may open",
        "# these directories.",
        "# Its runtime directory is the gate to its sockets: root and nginx's group get in, the app does not.",
        *map(str, _directories.shared_by_all(request.directory, request.runtime_directory)),
    ]
    for app in apps:
        lines += ["", *map(str, _directories.of(app, request.nginx_group))]
    return "\n".join([*lines, ""])


def polkit(apps: Sequence[Account]) -> str:
    """The text of the file of rules for polkit(8). Pure."""
    lines = [
        f"// {MANAGED}",
        "// An app's user gets no systemd of its own, whose processes would be in no slot: loginctl enable-linger, which polkit",
        "// allows to everybody.",
        "polkit.addRule(function (action, subject) {",
        f"    var users = {json.dumps([app['user'] for app in apps])};",
        '    if (action.id == "org.freedesktop.login1.set-self-linger" && users.indexOf(subject.user) >= 0) {',
        "        return polkit.Result.NO;",
        "    }",
        "});",
    ]
    return "\n".join([*lines, ""])


def ensure(apps: Sequence[App], request: AccountsRequest) -> dict[str, Any]:
    """Make the users, groups and directories of apps. An app whose name somebody else's user or group has gets nothing.

    :returns: the result of the module
    :raises StackError: nobody's in particular: the files cannot be written, or systemd's programs fail
    """
    if request.check:
        return _ensure(apps, request)
    with _locks.locked("accounts"):
        return _ensure(apps, request)


def _ensure(apps: Sequence[App], request: AccountsRequest) -> dict[str, Any]:
    before = _ownership.accounts(app["name"] for app in apps)
    refused = {app["name"]: cause for app in apps if (cause := _ownership.objection(_layout.of(app), before))}
    taken = [app for app in apps if app["name"] not in refused]
    new = [app["name"] for app in taken if before.user(app["name"]) is None]
    if not request.check:
        _ownership.mark(new)
    everybody = declared(taken, MemoryFile(TREE).read().notes, request.scope)
    tree = Transaction(
        TreeRequest(
            name=TREE,
            wanted={
                SYSUSERS: TreeEntry(_files.File(sysusers(everybody))),
                TMPFILES: TreeEntry(_files.File(tmpfiles(everybody, request))),
                POLKIT: TreeEntry(_files.File(polkit(everybody))),
            },
            notes={each["name"]: each for each in everybody},
            load=[["systemd-sysusers", SYSUSERS]],
            dry=request.check,
            stale=bool(new),
        )
    )
    tree.converge()
    roots = _directories.shared_by_all(request.directory, request.runtime_directory)
    wanted = [*roots, *(directory for app in taken for directory in _directories.of(app, request.nginx_group))]
    wrong = _directories.wrong(wanted)
    repaired = {"before": _directories.lines(wrong), "after": "".join(f"{directory}\n" for directory in wrong)}
    if not request.check:
        refused.update(_unmade(taken))
        taken = [app for app in taken if app["name"] not in refused]
        _ownership.unmark(app["name"] for app in taken)
        if wrong:
            _make_directories()
    found = tree.result()
    return {
        **found,
        "changed": found["changed"] or bool(wrong),
        "diff": [*found["diff"], *([repaired] if wrong else [])],
        "apps": [app["name"] for app in taken],
        "failures": [StackError("user", cause).result(name) for name, cause in sorted(refused.items())],
    }


def _make_directories() -> None:
    """Make those that are missing, and restore modes and owners. Nothing else is touched."""
    done = run(["systemd-tmpfiles", "--create", TMPFILES], timeout=300)
    if done.code:
        raise StackError(
            TREE, f"systemd-tmpfiles --create {TMPFILES} failed: {done.last_line}; fix that and run again.", done.output
        )


def _unmade(apps: Sequence[App]) -> dict[str, str]:
    """The apps that still have no user and group of their own, each with the cause."""
    after = _ownership.accounts(app["name"] for app in apps)
    causes = {}
    for app in apps:
        if after.user(app["name"]) is None:
            causes[app["name"]] = f"systemd-sysusers made no user {app['name']}; find out why with: systemd-sysusers {SYSUSERS}"
        else:
            causes[app["name"]] = _ownership.objection(_layout.of(app), after)
    return {name: cause for name, cause in causes.items() if cause}
