# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Unix permissions: whether the kernel lets a user use a file, by owner, mode and access control list. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import GROUP, GROUP_OWNER, MASK, OTHER, USER, AclEntry, parse


@dataclass(frozen=True)
class Ruling:
    """The kernel's decision.

    :ivar by: what decides: ``owner``, ``group``, ``other``; of an access control list ``acl user``, ``acl group`` or ``acl mask``
    """

    granted: bool
    by: str


def ruling(step: dict[str, Any], uid: int, groups: Collection[int], want: int) -> Ruling:
    """Whether a user has a permission, by the rules of acl_permission_check() and posix_acl_permission() in Linux.

    :param step: ``mode``, ``uid``, ``gid`` and ``acl`` of a file, see ``_inside.walk``
    :param groups: all groups of the user
    :param want: ``READ``, ``WRITE`` or ``SEARCH``
    """
    mode = step["mode"]
    if uid == 0:  # CAP_DAC_OVERRIDE
        return Ruling(True, "root")
    if uid == step["uid"]:
        return Ruling(bool(mode >> 6 & want), "owner")
    entries = parse(bytes.fromhex(step.get("acl", "")))
    # With an access control list the group bits are its mask. If all are unset, Linux ignores the list.
    if entries and mode & 0o070:
        return _listed(entries, step, uid, groups, want)
    if step["gid"] in groups:
        return Ruling(bool(mode >> 3 & want), "group")
    return Ruling(bool(mode & want), "other")


def _listed(entries: list[AclEntry], step: dict[str, Any], uid: int, groups: Collection[int], want: int) -> Ruling:
    mask = next((entry.rights for entry in entries if entry.tag == MASK), 7)
    named = next((entry for entry in entries if entry.tag == USER and entry.id == uid), None)
    if named:
        return _masked(named.rights, mask, want, "acl user")
    fitting = [
        entry
        for entry in entries
        if (entry.tag == GROUP and entry.id in groups) or (entry.tag == GROUP_OWNER and step["gid"] in groups)
    ]
    granting = next((entry for entry in fitting if entry.rights & want), None)
    if fitting:
        entry = granting or fitting[0]
        return _masked(entry.rights, mask, want, "acl group" if entry.tag == GROUP else "group")
    return Ruling(any(entry.rights & want for entry in entries if entry.tag == OTHER), "other")


def _masked(rights: int, mask: int, want: int, by: str) -> Ruling:
    if rights & want and not mask & want:
        return Ruling(False, "acl mask")
    return Ruling(bool(rights & want), by)


def described(step: dict[str, Any], user: str, group: str) -> str:
    """Owner, group and mode of a file: ``root:root 0755``, with ``+`` if it has an access control list."""
    return f"{user}:{group} {step['mode']:04o}{'+' if step.get('acl') else ''}"
