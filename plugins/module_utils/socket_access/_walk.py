# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which components of a path deny a user access to a socket. Pure."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import SEARCH, WRITE
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _acl as acl

Step = dict[str, Any]
"""A component of a path, see ``_inside.walk``."""


@dataclass(frozen=True)
class Refusal:
    """A path component that denies access.

    :ivar code: ``no_search_permission``, ``no_write_permission``, ``acl_denied`` or ``protected_symlink``
    :ivar want: the missing permission, see ``_acl``
    """

    step: Step
    code: str
    want: int = 0

    @property
    def path(self) -> str:
        """The path of the component."""
        return self.step["path"]


def refusals(steps: list[Step], uid: int, groups: Collection[int], protected: bool = True) -> list[Refusal]:
    """All components that deny access, in the order in which the kernel checks them.

    :param steps: see ``_inside.walk``
    :param groups: all groups of the user
    :param protected: fs.protected_symlinks is on, see proc(5): in /tmp and the like only their owners can follow symlinks
    """
    found: list[Refusal] = []
    asked = set()
    directories = {step["path"]: step for step in steps if step.get("kind") == "directory"}
    for step in steps:
        if "error" in step:
            continue
        kind, want = step["kind"], WRITE
        if kind == "link":
            if protected and step["last"] and _foreign(directories.get(os.path.dirname(step["path"])), step, uid):
                found.append(Refusal(step, "protected_symlink"))
            continue
        if kind == "directory":
            if step.get("last"):
                continue
            want = SEARCH
        if step["path"] in asked:
            continue
        asked.add(step["path"])
        ruling = acl.ruling(step, uid, groups, want)
        if not ruling.granted:
            plain = "no_search_permission" if kind == "directory" else "no_write_permission"
            found.append(Refusal(step, "acl_denied" if ruling.by.startswith("acl") else plain, want))
    return found


def _foreign(directory: Step | None, link: Step, uid: int) -> bool:
    """Whether a symlink in a sticky, world-writable directory belongs neither to the user nor to the directory's owner.

    The rule of may_follow_link() in fs/namei.c of Linux.
    """
    if directory is None or directory["mode"] & 0o1002 != 0o1002:
        return False
    return link["uid"] not in (uid, directory["uid"])


def vouched(steps: list[Step], step: Step) -> bool:
    """Whether every symlink that led to a component is root's, or of the component's owner: others lead to what is not theirs."""
    return _makers(steps, step) <= {step["uid"]}


def editor(steps: list[Step], step: Step) -> int | None:
    """As which user a component can be changed so that nothing else is, whatever is at its path by then.

    Root, where only root can replace it; else its owner. None if neither will do: it is not ``vouched``, or is root's in a
    directory of somebody else.
    """
    if not vouched(steps, step):
        return None
    return 0 if _in_roots_directory(steps, step["path"]) else step["uid"] or None


def mover(steps: list[Step], step: Step) -> int | None:
    """As which user a component can be renamed so that nothing else is: root, or the owner of the directory; None if neither."""
    if _in_roots_directory(steps, step["path"]):
        return 0 if not _makers(steps, step) else None
    above = os.path.dirname(step["path"])
    owner = next((each["uid"] for each in steps if each.get("kind") == "directory" and each["path"] == above), 0)
    return owner if owner and _makers(steps, step) <= {owner} else None


def _makers(steps: list[Step], step: Step) -> set[int]:
    """The users who made symlinks that led to a component, other than root in directories of its own."""
    before = steps[: next(place for place, each in enumerate(steps) if each is step)]
    return {link["uid"] for link in links(before) if not _in_roots_directory(steps, link["path"])}


def _in_roots_directory(steps: list[Step], path: str) -> bool:
    """Whether only root can replace the entries of all directories above a path."""
    directories = {step["path"]: step for step in steps if step.get("kind") == "directory"}
    while path != "/":
        path = os.path.dirname(path)
        found = directories.get(path)
        if found is None or found["uid"] != 0 or found["mode"] & 0o022:
            return False
    return True


def links(steps: list[Step]) -> list[Step]:
    """The symlinks on the path."""
    return [step for step in steps if step.get("kind") == "link"]


def hidden(inside: list[Step], outside: list[Step]) -> str:
    """The first component that differs between a process's mount namespace and the host's, "" if none does."""
    there = {step["path"]: step for step in outside}
    for step in inside:
        other = there.get(step["path"])
        if other is not None and step.get("id") != other.get("id") and "id" in other:
            return step["path"]
    return ""
