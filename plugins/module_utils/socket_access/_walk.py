# SPDX-License-Identifier: GPL-3.0-or-later
"""Which components of a path deny a user access to a socket. Pure."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

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
        kind, want = step["kind"], acl.WRITE
        if kind == "link":
            if protected and step["last"] and _foreign(directories.get(os.path.dirname(step["path"])), step, uid):
                found.append(Refusal(step, "protected_symlink"))
            continue
        if kind == "directory":
            if step.get("last"):
                continue
            want = acl.SEARCH
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
