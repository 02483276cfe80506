# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Permissions that are too open: sockets, secrets and home directories."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shlex
from collections.abc import Sequence

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._accounts import group_name, user_name
from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import READ, WRITE
from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import (
    _acl,
    _fix,
    _identity,
    _inside,
    _lasting,
    _verdict,
    _walk,
)
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Evidence
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._walk import Step

NOBODY = -1
"""The id of a user that owns nothing."""

SECRET_FILE = re.compile(r"(\.env(\..+)?|.*\.env|.*\.key|.*\.pem|id_(rsa|ed25519|ecdsa)|secrets?\.\w+)")
SETTINGS_FILE = re.compile(r"(.*settings.*|config|.*_config|wsgi|app)\.(py|ini|toml|ya?ml|json)")
SECRET = re.compile(r"(SECRET|PASSWORD|PASSWD|API_KEY|TOKEN)\w{0,40}['\"]?\s{0,4}[:=]\s{0,4}['\"]?[^\s'\"]{6}", re.IGNORECASE)
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
NO_SECRET = (".example", ".sample", ".template", ".dist")

FILES = 500
"""Number of files beside a socket that are checked."""

FIRST_HUMAN = 1000
"""The first user id of regular users, see adduser.conf(5)."""


def warnings(seen: Evidence, others: Sequence[Evidence]) -> list[dict[str, str]]:
    """Permissions around a socket that are too open.

    :param others: the evidence of the other sockets
    :returns: ``code``, ``message`` and ``fix`` of each
    """
    found: list[dict[str, str]] = []
    steps = list(seen.outside)
    if steps and steps[-1].get("kind") == "socket" and _walk.vouched(steps, steps[-1]):
        if reached(steps, NOBODY, ()):
            found.append(_world_writable(seen))
        else:
            found += _other_apps(seen, others)
        found += _secrets(steps[-1]["path"], seen.server, seen.setfacl)
    found += _open_homes(seen)
    gone = set(seen.identity.groups) - set(seen.renewed.groups)
    if gone and not _verdict.refusals(seen, seen.identity) and _verdict.refusals(seen, seen.renewed):
        names = ", ".join(group_name(group) for group in sorted(gone))
        message = f"{seen.identity.user} is no longer in the group {names}; after its next reload nginx cannot use the socket."
        found.append(_warning("group_gone", message, f"usermod -aG {shlex.quote(names.replace(', ', ','))} {seen.identity.user}"))
    return found


def reached(steps: list[Step], uid: int, groups: Sequence[int]) -> bool:
    """Whether a user can reach a socket and connect to it. Pure."""
    return "error" not in steps[-1] and not _walk.refusals(steps, uid, groups)


def _warning(code: str, message: str, fix: str) -> dict[str, str]:
    return {"code": code, "message": message, "fix": fix}


def _world_writable(seen: Evidence) -> dict[str, str]:
    step = seen.outside[-1]
    owner, group, path = user_name(step["uid"]), group_name(step["gid"]), shlex.quote(step["path"])
    message = (
        f"Every user of the host can send requests to {step['path']} ({_acl.described(step, owner, group)}), bypassing nginx."
    )
    message += _at_start(seen)
    keep, user = seen.identity, _walk.editor(list(seen.outside), step)
    if user is None:
        return _warning("world_writable", message, "")
    if keep.uid in (0, step["uid"]) or _by_acl(step, keep, WRITE):
        return _warning("world_writable", message, _accounts.as_user(user, f"chmod o= {path}"))
    if keep.has(step["gid"]):
        return _warning("world_writable", message, _accounts.as_user(user, f"chmod g=rw,o= {path}"))
    if user:  # who cannot give it to another group
        return _warning("world_writable", message, _fix.listing(f"u:{keep.user}:rw,o::---", path, user, seen.setfacl))
    return _warning("world_writable", message, f"chgrp {shlex.quote(group_name(keep.gid))} {path} && chmod g=rw,o= {path}")


def _at_start(seen: Evidence) -> str:
    """A sentence, after a blank, on a server that opens its socket again at each start; "" if that is not known."""
    command, mode = " ".join(seen.server.command) if seen.server else "", _lasting.mode_at_start(seen)
    if "gunicorn" in command and mode is not None and mode & 0o002:
        return f" gunicorn makes it so at each start: run it with --umask 007 and Group={group_name(seen.identity.gid)}."
    if "uvicorn" in command:
        group = group_name(seen.identity.gid)
        return f" uvicorn makes it so at each start: give it a socket in a directory that only the group {group} can enter."
    return ""


def _by_acl(step: Step, identity: Identity, want: int) -> bool:
    """Whether an access control list gives a user the permission."""
    ruling = _acl.ruling(step, identity.uid, {identity.gid, *identity.groups}, want)
    return ruling.granted and ruling.by.startswith("acl")


def _other_apps(seen: Evidence, others: Sequence[Evidence]) -> list[dict[str, str]]:
    """Warn of users of other apps that can use this socket."""
    if seen.server is None:
        return []
    step, path = seen.outside[-1], shlex.quote(seen.outside[-1]["path"])
    users: dict[str, Evidence] = {}
    for other in others:
        server = other.server
        if server is None or server.uid in (0, seen.server.uid, seen.identity.uid, step["uid"]):
            continue
        try:
            identity = _identity.of_process(server.pid)
        except StackError:
            continue
        if reached(list(seen.outside), identity.uid, [identity.gid, *identity.groups]):
            users.setdefault(identity.user, other)
    found = []
    for user, other in users.items():
        address = other.target.address
        message = f"{user}, the user of the app at {address}, can send requests to {step['path']}, bypassing nginx."
        editor = _walk.editor(list(seen.outside), step)
        possible = seen.setfacl and editor is not None
        fix = _fix.listing(f"u:{seen.identity.user}:rw,g::---", path, editor or 0, True) if possible else ""
        found.append(_warning("other_app", message, fix))
    return found


def _secrets(socket: str, server: ListeningProcess | None, setfacl: bool) -> list[dict[str, str]]:
    """Warn of world-readable files beside a socket that look like secrets."""
    directory = os.path.dirname(socket)
    if directory in _fix.PUBLIC:
        return []
    around = _inside.walk(directory)
    if _walk.refusals([{**step, "last": False} for step in around], NOBODY, ()):
        return []
    found = []
    for name in _untrusted.entries(directory, FILES):
        path = os.path.join(directory, name)
        steps = _inside.walk(path)
        step = steps[-1]
        if step.get("kind") != "file" or step["path"] != path or not step["mode"] & 0o004 or not _secret(name, path):
            continue
        owner, group = user_name(step["uid"]), group_name(step["gid"])
        message = f"Every user of the host can read {path} ({_acl.described(step, owner, group)}), which looks like a secret."
        found.append(_warning("secret_readable", message, _restrict(step, server, _walk.editor(steps, step), setfacl)))
    return found


def _restrict(step: Step, server: ListeningProcess | None, user: int | None, setfacl: bool) -> str:
    """The command that closes a file to all users but the server beside it, which may only have access as one of all.

    :param user: as whom it can be changed, see ``_walk.editor``; "" is returned for None
    :param setfacl: whether setfacl(1) is installed
    """
    if user is None:
        return ""
    path, reader = shlex.quote(step["path"]), None
    if server is not None:
        with contextlib.suppress(StackError):
            reader = _identity.of_process(server.pid)
    if reader is None or reader.uid in (0, step["uid"]) or _by_acl(step, reader, READ):
        return _accounts.as_user(user, f"chmod o= {path}")
    if reader.has(step["gid"]):
        return _accounts.as_user(user, f"chmod g+r,o= {path}")
    if user:  # who cannot give it to another group
        return _fix.listing(f"u:{reader.user}:r,o::---", path, user, setfacl)
    return f"chgrp {shlex.quote(group_name(reader.gid))} {path} && chmod g+r,o= {path}"


def _secret(name: str, path: str) -> bool:
    if name.endswith(NO_SECRET):
        return False
    if not SECRET_FILE.fullmatch(name) and not SETTINGS_FILE.fullmatch(name):
        return False
    text = _untrusted.configuration(path)
    if name.endswith(".pem"):  # usually a certificate, not a key
        return bool(PRIVATE_KEY.search(text))
    return bool(SECRET_FILE.fullmatch(name) and text.strip()) or bool(SECRET.search(text))


def _open_homes(seen: Evidence) -> list[dict[str, str]]:
    """Warn of world-searchable home directories on the path, unless that is the host's default for new ones."""
    if not seen.outside or homes_open():
        return []
    homes = {
        os.path.normpath(account.pw_dir) for account in pwd.getpwall() if account.pw_uid == 0 or account.pw_uid >= FIRST_HUMAN
    }
    found = []
    for step in seen.outside:
        path = step["path"]
        if step.get("kind") != "directory" or path not in homes or path in _fix.PUBLIC or not step["mode"] & 0o001:
            continue
        owner, group = user_name(step["uid"]), group_name(step["gid"])
        closed = {**step, "mode": step["mode"] & ~0o007}
        keep = _fix.grants(
            [*seen.outside[: seen.outside.index(step)], closed],
            _walk.refusals([closed], seen.identity.uid, {seen.identity.gid, *seen.identity.groups}),
            seen.identity,
            seen.setfacl,
        )
        if keep is None or _walk.editor(list(seen.outside), step) != 0:
            continue
        message = (
            f"Every user of the host can enter the home directory {path} "
            f"({_acl.described(step, owner, group)}), which contains {seen.target.address}."
        )
        found.append(_warning("home_open", message, " && ".join([*keep, f"chmod o= {shlex.quote(path)}"])))
    return found


def homes_open() -> bool:
    """Whether new home directories on this host are world-searchable, as before Debian 12."""
    for file, name in (("/etc/adduser.conf", "DIR_MODE"), ("/etc/login.defs", "HOME_MODE")):
        mode = home_mode(_untrusted.configuration(file), name)
        if mode is not None:
            return bool(mode & 0o001)
    return False


def home_mode(text: str, name: str) -> int | None:
    """The mode of new home directories in a configuration, or the default named in its comments; None without one. Pure."""
    match = re.search(rf"^{name}[= \t]+(\d+)", text, re.MULTILINE)
    match = match or re.search(rf"^#.*{name}[= \t]+(\d+)", text, re.MULTILINE)
    return int(match[1], 8) if match else None
