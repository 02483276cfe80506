# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The user who connects to a socket: the ids that a process really has, which may differ from the user database."""

from __future__ import annotations

import grp
import os
import pwd
import re
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _nginx_process, _processes, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

CONFIGURATION = "/etc/nginx/nginx.conf"


@dataclass(frozen=True)
class Identity:
    """A user with groups.

    :ivar groups: ids of the supplementary groups and the main one
    :ivar source: ``process``: the ids of a running process; ``database``: those of a new process of this user
    :ivar pid: the process, 0 without one
    :ivar parent: nginx's main process, which has the same namespaces; 0 without one
    :ivar note: where the identity comes from, if that is not obvious
    """

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    source: str
    pid: int = 0
    parent: int = 0
    note: str = ""

    @property
    def nginx(self) -> bool:
        """Whether this is a worker of nginx."""
        return self.pid != 0 and self.parent != 0

    def has(self, group: int) -> bool:
        """Whether the user is in a group."""
        return group == self.gid or group in self.groups

    def result(self) -> dict[str, object]:
        """The value that modules return."""
        groups = [_accounts.group_name(group) for group in sorted({self.gid, *self.groups})]
        found = {"pid": self.pid, "user": self.user, "uid": self.uid, "gid": self.gid, "groups": groups}
        return {**found, "source": self.source, "note": self.note}


def of_nginx() -> Identity:
    """The identity of the running nginx workers, else of the user that nginx is configured to run them as.

    :raises StackError: the configuration names a user that does not exist
    """
    workers = of_workers()
    if workers:
        return workers
    user, group, source = _configured()
    found = of_user(user, group)
    return Identity(**{**vars(found), "note": f"nginx is not running; {user} is {source}."})


def of_workers() -> Identity | None:
    """The identity of the running nginx workers, None without any."""
    serving = {master.pid: workers for master in _nginx_process.masters() for workers in [_nginx_process.workers(master.pid)]}
    chosen = next((pid for pid, workers in serving.items() if workers), None)
    if chosen is None:
        return None
    note = ""
    others = ", ".join(str(pid) for pid, workers in sorted(serving.items()) if workers and pid != chosen)
    if others:
        note = f"Several nginx are running; this is about the workers of process {chosen}, not those of {others}."
    # The youngest has the groups that the last reload gave it; those that are shutting down are older.
    return Identity(**{**vars(of_process(serving[chosen][0], note)), "parent": chosen})


def of_process(pid: int, note: str = "") -> Identity:
    """The identity of a process, from /proc/PID/status, see proc(5); the fourth user id is the one for files.

    :raises StackError: there is no such process
    """
    try:
        return parsed(_processes.status(pid), pid, note)
    except OSError:
        raise StackError("host", f"there is no process {pid}; give the id of a running process.") from None


def parsed(fields: dict[str, list[str]], pid: int, note: str = "") -> Identity:
    """Parse an identity from the fields of /proc/PID/status. Pure."""
    uid, gid = int(fields["Uid"][3]), int(fields["Gid"][3])
    groups = tuple(int(group) for group in fields.get("Groups", []))
    return Identity(_accounts.user_name(uid), uid, gid, groups, "process", pid, 0, note)


def of_user(user: str, group: str = "") -> Identity:
    """The identity of a new process of a user, from the user database.

    :raises StackError: there is no such user or group
    """
    try:
        account = pwd.getpwnam(user)
        gid = grp.getgrnam(group).gr_gid if group else account.pw_gid
    except KeyError:
        what = f"group {group}" if group and _known(user) else f"user {user}"
        raise StackError("host", f"there is no {what} on this host; create it or name another one.") from None
    return Identity(user, account.pw_uid, gid, tuple(os.getgrouplist(user, gid)), "database")


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def renewed(identity: Identity) -> Identity:
    """The same user with the groups that a new process would get now."""
    try:
        groups = tuple(os.getgrouplist(identity.user, identity.gid))
    except KeyError:
        return identity
    return Identity(**{**vars(identity), "groups": groups, "source": "database"})


def _configured() -> tuple[str, str, str]:
    """User and group of workers in nginx's configuration, and where they come from.

    Without a group, it is the one with the user's name: http://nginx.org/en/docs/ngx_core_module.html#user
    """
    words = user_directive(_untrusted.configuration(CONFIGURATION))
    if words:
        group = words[1] if len(words) > 1 else words[0]
        return words[0], group, f"the user in {CONFIGURATION}"
    built = re.search(r"--user=(\S+)", run(["nginx", "-V"], timeout=10).output)
    user = built[1] if built else "nobody"
    built = re.search(r"--group=(\S+)", run(["nginx", "-V"], timeout=10).output)
    return user, built[1] if built else "", f"the user that nginx was built with, since {CONFIGURATION} has no user directive"


def user_directive(configuration: str) -> list[str]:
    """The arguments of the directive ``user`` in the text of nginx.conf. Pure."""
    match = re.search(r"^\s*user\s+([^;#]+);", configuration, re.MULTILINE)
    return match[1].split() if match else []
