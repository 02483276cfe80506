# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Removes the user and the group that the collection made for an app, and what they own that outlives processes."""

from __future__ import annotations

import os

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils._layout import Layout
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _ownership
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

LEFT_BEHIND = (
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/run/lock",
    "/var/mail",
    "/var/spool/cron/crontabs",
    "/var/spool/cron/atjobs",
)
"""Where a user can leave files, and jobs that run as that user. The next user of a host may get the uid that was freed, and would
own such a file: a program with the set-user-ID bit, for example."""

SYSTEM_V = "/proc/sysvipc"
"""The directory with a table of each kind of System V IPC, see sysvipc(7)."""

IPCRM = {"shm": "--shmem-id", "sem": "--semaphore-id", "msg": "--queue-id"}
"""The option of ipcrm(1) for each kind."""


def there(layout: Layout) -> bool:
    """Whether an app's user is there, or its group, and the collection made them."""
    found = _ownership.accounts([layout.name])
    return _ownership.owned(layout, found) or _ownership.orphaned(layout, found)


def remove(layout: Layout) -> None:
    """Remove an app's user and group, if the collection made them.

    :raises StackError: one of them cannot be removed
    """
    found = _ownership.accounts([layout.name])
    user, group = found.user(layout.name), found.group(layout.name)
    if user is not None and _ownership.owned(layout, found):
        _ownership.mark([layout.name])
        if not found.same_uid(user):
            _remove_files(user.pw_uid)
            _remove_system_v(user.pw_uid)
        _run(["userdel", layout.name])
        # userdel keeps the group if it has other members, or is not the user's primary group.
        if group is not None and group.gr_gid == user.pw_gid and _ownership.accounts([layout.name]).group(layout.name):
            _run(["groupdel", layout.name])
    elif _ownership.orphaned(layout, found):
        _run(["groupdel", layout.name])
    _ownership.unmark([layout.name])


def _remove_files(uid: int) -> None:
    places = [path for path in LEFT_BEHIND if os.path.isdir(path)]
    # A directory in which others have files stays, without any file of the user's in it.
    run(["find", *places, "-xdev", "-uid", str(uid), "-delete"], timeout=300)


def _remove_system_v(uid: int) -> None:
    for kind, option in IPCRM.items():
        names, *rows = [line.split() for line in _files.text_of(os.path.join(SYSTEM_V, kind), -1).splitlines()] or [[]]
        # Who has made one keeps control of it, whatever owner it has been given.
        owners = [names.index("uid"), names.index("cuid")] if rows else []
        ids = [row[1] for row in rows if str(uid) in (row[column] for column in owners)]
        if ids:
            run(["ipcrm", *(f"{option}={each}" for each in ids)])


def _run(argv: list[str]) -> None:
    done = run(argv)
    if done.code:
        what = "user" if argv[0] == "userdel" else "group"
        raise StackError("retire", f"{what} {argv[1]} cannot be removed: {done.last_line}; fix that and run again.")
