# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Users and groups of the host by name and by number."""

from __future__ import annotations

import grp
import pwd
import shlex


def user_name(uid: int) -> str:
    """The name of a user, or the number as text if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The name of a group, or the number as text if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def as_user(uid: int, command: str) -> str:
    """A shell command for root that runs another one as a user, as which it can do no harm to others."""
    return command if uid == 0 else f"runuser -u {shlex.quote(user_name(uid))} -- {command}"


def uid_of(user: str) -> int:
    """The number of a user, who is given by name or by number.

    :raises KeyError: there is no such user
    """
    return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid


def gid_of(group: str) -> int:
    """The number of a group, which is given by name or by number.

    :raises KeyError: there is no such group
    """
    return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid


def members(gid: int) -> set[str]:
    """The names of the users whose primary or supplementary group this is."""
    try:
        listed = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        listed = set()
    return listed | {account.pw_name for account in pwd.getpwall() if account.pw_gid == gid}
