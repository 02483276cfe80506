# SPDX-License-Identifier: GPL-3.0-or-later
"""Which components of a path keep a user from a socket. Pure."""

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
    """A component that is in the way.

    :ivar code: ``no_search_permission``, ``no_write_permission``, ``acl_denied`` or ``protected_symlink``
    :ivar want: the bit of the mode that is missing, see ``_acl``
    """

    step: Step
    code: str
    want: int = 0

    @property
    def path(self) -> str:
        """The path of the component."""
        return self.step["path"]


def refusals(steps: list[Step], uid: int, groups: Collection[int], protected: bool = True) -> list[Refusal]:
    """All components that refuse, in the order in which the kernel gets to them.

    :param steps: see ``_inside.walk``
    :param groups: all groups of the user
    :param protected: whether links in /tmp and the like are followed for their owners only (fs.protected_symlinks, proc(5))
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
    """Whether a link lies in a sticky directory that everybody may write to and is neither the user's nor its owner's.

    may_follow_link, fs/namei.c
    """
    if directory is None or directory["mode"] & 0o1002 != 0o1002:
        return False
    return link["uid"] not in (uid, directory["uid"])


def end(steps: list[Step]) -> Step:
    """Where the way ends: the socket, or what there is in its place."""
    return steps[-1]


def links(steps: list[Step]) -> list[Step]:
    """The symbolic links on the way."""
    return [step for step in steps if step.get("kind") == "link"]


def hidden(inside: list[Step], outside: list[Step]) -> str:
    """The first component that is another one in a process's own namespace than outside, "" if there is none."""
    there = {step["path"]: step for step in outside}
    for step in inside:
        other = there.get(step["path"])
        if other is not None and step.get("id") != other.get("id") and "id" in other:
            return step["path"]
    return ""
