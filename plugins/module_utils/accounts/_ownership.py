# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Whose the user and the group of an app's name are: the collection's, which made them for the app, or the host's own.

The evidence is in the host's user database, where root alone writes: the home and the full name that the collection gives a
user, and a primary group of the user's name. While a user and its group are made or removed, a mark stands for what a run that
was killed left of them.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._layout import Layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files

FULL_NAME = "WSGI application {name}"
"""The full name of an app's user."""

MARKS = "/var/lib/wsgi/accounts"
"""The directory with an empty file for each name whose user and group are being made or removed. Only root gets in."""


@dataclass(frozen=True)
class Accounts:
    """The users and groups of a host.

    :ivar marked: the names whose user and group a run that was killed was making or removing
    """

    users: tuple[pwd.struct_passwd, ...]
    groups: tuple[grp.struct_group, ...]
    marked: frozenset[str] = frozenset()

    def user(self, name: str) -> pwd.struct_passwd | None:
        """The user of a name."""
        return next((user for user in self.users if user.pw_name == name), None)

    def group(self, name: str) -> grp.struct_group | None:
        """The group of a name."""
        return next((group for group in self.groups if group.gr_name == name), None)

    def same_uid(self, user: pwd.struct_passwd) -> list[str]:
        """The other names of a user's uid."""
        return [other.pw_name for other in self.users if other.pw_uid == user.pw_uid and other.pw_name != user.pw_name]

    def same_gid(self, group: grp.struct_group) -> list[str]:
        """The other names of a group's gid."""
        return [other.gr_name for other in self.groups if other.gr_gid == group.gr_gid and other.gr_name != group.gr_name]

    def used(self, group: grp.struct_group) -> bool:
        """Whether anybody is in a group."""
        return bool(group.gr_mem) or any(user.pw_gid == group.gr_gid for user in self.users)


def accounts(names: Iterable[str] = ()) -> Accounts:
    """The users and groups of this host.

    :param names: those to ask for by name as well: a directory service may know them and yet not list them
    """
    users, groups = pwd.getpwall(), grp.getgrall()
    for name in names:
        with contextlib.suppress(KeyError):
            users.append(pwd.getpwnam(name))
        with contextlib.suppress(KeyError):
            groups.append(grp.getgrnam(name))
    return Accounts(tuple(users), tuple(groups), frozenset(marked()))


def owned(layout: Layout, found: Accounts) -> bool:
    """Whether the collection made the user of an app's name. Pure.

    A user can change neither its home nor its full name (chfn(1) with Debian's CHFN_RESTRICT), only what follows after a comma.
    """
    user = found.user(layout.name)
    if user is None or user.pw_uid == 0:
        return False
    return user.pw_dir == layout.directory and user.pw_gecos.partition(",")[0] == FULL_NAME.format(name=layout.name)


def orphaned(layout: Layout, found: Accounts) -> bool:
    """Whether there is no user of an app's name, but the group that the collection made with it or for it. Pure."""
    group = found.group(layout.name)
    if group is None or found.user(layout.name) is not None or layout.name not in found.marked:
        return False
    return group.gr_gid != 0 and not found.used(group) and not found.same_gid(group)


def objection(layout: Layout, found: Accounts) -> str:
    """Why an app cannot have the user and the group of its name, in one sentence; "" if it can. Pure."""
    name = layout.name
    user, group = found.user(name), found.group(name)
    if user is None:
        if group is None or orphaned(layout, found):
            return ""
        return f"this host has a group {name} (gid {group.gr_gid}) that was not made for this app; give the app another name."
    if not owned(layout, found):
        which = f"(uid {user.pw_uid}, home {user.pw_dir})"
        return f"this host has a user {name} {which} that was not made for this app; give the app another name."
    if found.same_uid(user):
        others = ", ".join(found.same_uid(user))
        return f"user {name} has the same uid as {others} ({user.pw_uid}), and an app needs its own; change one of them."
    if group is None and not any(each.gr_gid == user.pw_gid for each in found.groups):
        return f"the group of user {name} is gone; run: groupadd --system --gid {user.pw_gid} {name}"
    if group is None or group.gr_gid != user.pw_gid:
        return f"user {name} is not in its own group, but in gid {user.pw_gid}; run: usermod --gid {name} {name}"
    if found.same_gid(group):
        others = ", ".join(found.same_gid(group))
        return f"group {name} has the same gid as {others} ({group.gr_gid}), and an app needs its own; change one of them."
    return ""


def marked() -> set[str]:
    """The names with a mark."""
    try:
        return {name for name in os.listdir(MARKS) if re.fullmatch(r"[a-z][a-z0-9-]*", name)}
    except FileNotFoundError:
        return set()


def mark(names: Iterable[str]) -> None:
    """Note that the users and groups of some names are about to be made or removed."""
    for name in names:
        os.makedirs(MARKS, mode=0o700, exist_ok=True)
        _files.write(os.path.join(MARKS, name), _files.File("", 0o600, str(os.geteuid()), str(os.getegid())), sync=True)


def unmark(names: Iterable[str]) -> None:
    """Note that the users and groups of some names are complete, or gone."""
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(MARKS, name))
