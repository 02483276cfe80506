# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the kernel lets a user into a directory or at a socket, from its owner, mode and access control list. Pure."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

READ, WRITE, SEARCH = 4, 2, 1

# include/uapi/linux/posix_acl.h
USER_OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


@dataclass(frozen=True)
class Entry:
    """A line of an access control list: what a named user or group may do, or one of those that have no name."""

    tag: int
    rights: int
    id: int


@dataclass(frozen=True)
class Ruling:
    """What the kernel says, and by what.

    :ivar by: ``owner``, ``group``, ``other``; of an access control list ``acl user``, ``acl group`` or ``acl mask``
    """

    granted: bool
    by: str


def parse(acl: str) -> list[Entry]:
    """The entries of the attribute system.posix_acl_access, as hexadecimal digits; none if it cannot be understood.

    Its form: include/uapi/linux/posix_acl_xattr.h, a version and 8 bytes for each entry, little-endian.
    """
    data = bytes.fromhex(acl)
    if len(data) < 4 or struct.unpack_from("<I", data)[0] != 2:
        return []
    whole = data[: 4 + (len(data) - 4) // 8 * 8]
    return [Entry(tag, rights, number) for tag, rights, number in struct.iter_unpack("<HHI", whole[4:])]


def ruling(step: dict[str, Any], uid: int, groups: Collection[int], want: int) -> Ruling:
    """Whether a user may do something, as acl_permission_check and posix_acl_permission of Linux find it.

    :param step: ``mode``, ``uid``, ``gid`` and ``acl`` of a file, see ``_inside.walk``
    :param groups: all of the user's
    :param want: ``SEARCH`` or another of the bits of a mode
    """
    mode = step["mode"]
    if uid == 0:  # CAP_DAC_OVERRIDE
        return Ruling(True, "root")
    if uid == step["uid"]:
        return Ruling(bool(mode >> 6 & want), "owner")
    entries = parse(step.get("acl", ""))
    # Linux does not look at the list of a file whose group bits, which are the list's mask then, are all unset.
    if entries and mode & 0o070:
        return _listed(entries, step, uid, groups, want)
    if step["gid"] in groups:
        return Ruling(bool(mode >> 3 & want), "group")
    return Ruling(bool(mode & want), "other")


def _listed(entries: list[Entry], step: dict[str, Any], uid: int, groups: Collection[int], want: int) -> Ruling:
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
    """Owner, group and mode of a file in words: ``root:root 0755``, with a plus if it has an access control list."""
    return f"{user}:{group} {step['mode']:04o}{'+' if step.get('acl') else ''}"
