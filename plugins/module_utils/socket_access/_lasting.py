# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a server makes of its socket at each start, and the change of its unit that gives another user access for good."""

from __future__ import annotations

import re
import shlex

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _acl, _edit, _identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Evidence
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._walk import Refusal, Step

UMASK = re.compile(r"(?:^|\s)(?:-m|--umask)[ =]?(0?o?[0-7]{1,4})\b")
DEFAULT_UMASK = 0o022
"""Of a service of systemd: uWSGI makes its socket with it, unless it has the option chmod-socket."""

NAME = re.compile(r"[A-Za-z_][\w.-]*\$?")


def mode_at_start(seen: Evidence) -> int | None:
    """The mode that a server gives its socket when it starts, None if that is not known. Pure."""
    command = " ".join(seen.server.command) if seen.server else ""
    if "gunicorn" in command:
        match = UMASK.search(command)
        return 0o777 & ~(int(match[1].replace("o", ""), 8) if match else 0)
    if "uwsgi" in command:
        return seen.setting.mode if seen.setting and seen.setting.mode >= 0 else 0o777 & ~DEFAULT_UMASK
    return None


def group_at_start(seen: Evidence) -> int | None:
    """The group that a server gives its socket when it starts, None if that is not known."""
    if seen.setting and seen.setting.group:
        try:
            return _accounts.gid_of(seen.setting.group)
        except KeyError:
            return None
    try:
        return _identity.of_process(seen.server.pid).gid if seen.server else None
    except _identity.StackError:
        return None


def recreates_access(seen: Evidence, refusal: Refusal) -> bool:
    """Whether the socket that the server makes when it starts next can be used: the present one was changed by hand."""
    mode, group = mode_at_start(seen), group_at_start(seen)
    if mode is None or group is None:
        return False
    step = {**refusal.step, "mode": mode, "gid": group, "acl": ""}
    return _acl.ruling(step, seen.renewed.uid, {seen.renewed.gid, *seen.renewed.groups}, refusal.want).granted


def of_socket(seen: Evidence, refusal: Refusal) -> str:
    """The command that starts the server of a socket in the group of the user who connects, for good; "" if none does."""
    owner, server, mode = seen.owner, seen.server, mode_at_start(seen)
    if owner and server and mode is not None and not mode & 0o020 and "uwsgi" in " ".join(server.command):
        return _of_uwsgi(seen, refusal)
    if owner is None or server is None or mode is None or not mode & 0o020 or server.uid == 0:
        return ""
    if owner.program or owner.vassal or owner.user or owner.unit != server.unit or not owner.unit.endswith(".service"):
        return ""
    if seen.setting and (seen.setting.group or seen.setting.user):
        return ""
    group = _accounts.group_name(seen.identity.gid)
    try:
        before = _accounts.group_name(_identity.of_process(server.pid).gid)
    except _identity.StackError:
        return ""
    if not NAME.fullmatch(group) or not NAME.fullmatch(before) or group == before:
        return ""
    return drop_in(owner.unit, "nginx-group", f"Group={group}\\nSupplementaryGroups={before}")


def _of_uwsgi(seen: Evidence, refusal: Refusal) -> str:
    """The command that sets chmod-socket, if that is all that is missing."""
    group = group_at_start(seen)
    right = {**refusal.step, "mode": 0o660, "gid": group, "acl": ""}
    groups = {seen.renewed.gid, *seen.renewed.groups}
    if seen.owner is None or group is None or not _acl.ruling(right, seen.renewed.uid, groups, refusal.want).granted:
        return ""
    files = [seen.setting.file] if seen.setting and seen.setting.mode >= 0 else list(seen.owner.files)
    edit = next((command for file in files[:3] for command in [_edit.set_option(file, "chmod-socket", "660")] if command), "")
    restart = seen.owner.restart()
    return f"{edit} && {restart}" if edit and restart else ""


def of_directory(seen: Evidence, step: Step) -> str:
    """The command that has systemd make a runtime directory searchable at each start, "" if it does not make it."""
    owner = seen.owner
    if owner is None or owner.program or owner.user or not owner.unit.endswith(".service"):
        return ""
    made = _systemd.properties(owner.unit, ["RuntimeDirectory", "RuntimeDirectoryMode"])
    if step["path"] not in [f"/run/{name}" for name in made.get("RuntimeDirectory", "").split()]:
        return ""
    mode = made.get("RuntimeDirectoryMode", "")
    if not re.fullmatch(r"0?[0-7]{3}", mode) or int(mode, 8) & 0o001:
        return ""
    return drop_in(owner.unit, "runtime-directory-mode", f"RuntimeDirectoryMode=0{int(mode, 8) | 0o011:03o}")


def drop_in(unit: str, name: str, lines: str) -> str:
    """The command that changes settings of a unit for good, in a file of their own, and restarts it.

    :param lines: of the section [Service], with ``\\n`` between them, without a quote
    """
    directory = shlex.quote(f"/etc/systemd/system/{unit}.d")
    file = shlex.quote(f"/etc/systemd/system/{unit}.d/{name}.conf")
    short = shlex.quote(unit.removesuffix(".service"))
    write = f"mkdir -p {directory} && printf '[Service]\\n{lines}\\n' > {file}"
    return f"{write} && systemctl daemon-reload && systemctl restart {short}"
