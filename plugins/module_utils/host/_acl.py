# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Access control lists of files, see acl(5). Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

READ, WRITE, SEARCH = 4, 2, 1

# include/uapi/linux/posix_acl.h
USER_OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


@dataclass(frozen=True)
class AclEntry:
    """An entry of a POSIX access control list, see acl(5).

    :ivar tag: one of the constants above
    :ivar rights: the bits r, w, x
    :ivar id: of the user or group, if the tag has one
    """

    tag: int
    rights: int
    id: int


def parse(data: bytes) -> list[AclEntry]:
    """Parse the extended attribute system.posix_acl_access or system.posix_acl_default; [] if its version is unknown.

    The format is that of include/uapi/linux/posix_acl_xattr.h: a version and 8 bytes for each entry, little-endian.
    """
    if len(data) < 4 or struct.unpack_from("<I", data)[0] != 2:
        return []
    whole = data[: 4 + (len(data) - 4) // 8 * 8]
    return [AclEntry(tag, rights, number) for tag, rights, number in struct.iter_unpack("<HHI", whole[4:])]
