# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a command cannot be executed, seen from its file: nothing is run."""

from __future__ import annotations

import os
import re
import stat

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import SEARCH
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _acl, _identity, _inside, _walk
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity

HEAD = 512
"""Bytes of a program that are read."""

SHEBANG = re.compile(rb"#![ \t]*([^\s\0]+)([^\n\0]*)")


def identity_of(user: str, group: str = "") -> Identity | None:
    """The user that a server is started as, None if there is no such user."""
    try:
        return _identity.of_user(user or "root", group)
    except StackError:
        return None


def closed_directory(path: str, who: Identity | None) -> str:
    """The first directory on a path that a user may not enter, "" if there is none."""
    if who is None or who.uid == 0:
        return ""
    steps = [step for step in _inside.walk(path) if step.get("kind") in ("directory", "link")]
    if steps and steps[-1].get("last"):
        steps[-1] = {**steps[-1], "last": False}
    return next((each.path for each in _walk.refusals(steps, who.uid, {who.gid, *who.groups})), "")


def why(path: str, who: Identity | None, again: str) -> Why | None:
    """Why a program cannot be executed, None if nothing is wrong with it.

    :param path: absolute
    :param who: the user that executes it
    :param again: the command that starts the server
    """
    if not os.path.isabs(path) or "\0" in path:
        return None
    closed = closed_directory(path, who)
    if closed and who:
        text = f"the user {who.user} may not enter {closed}, so that it cannot execute {path}"
        return Why(text, then(f"Give {who.user} search permission on {closed}, or move the program", again), evidence=(closed,))
    if not os.path.lexists(path):
        return _missing(path, again)
    if not os.path.exists(path):
        gone = dangling(path)
        text = f"{path} is a symlink to {gone}, which does not exist"
        return Why(text, then(f"Restore {gone}, or make the virtual environment anew", again), evidence=(path,))
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return Why(f"{path} is a directory, not a program", then("Name a program in the command", again), evidence=(path,))
    found = _interpreter(path, again)
    if found:
        return found
    if not mode & 0o111 or (who and who.uid and not _may_execute(path, who)):
        owner = f" by {who.user}" if who else ""
        return Why(f"{path} is not executable{owner}", then(f"Make it executable: chmod +x {path}", again), evidence=(path,))
    return None


def _may_execute(path: str, who: Identity) -> bool:
    steps = _inside.walk(path)
    return not steps or "mode" not in steps[-1] or _acl.ruling(steps[-1], who.uid, {who.gid, *who.groups}, SEARCH).granted


def _missing(path: str, again: str) -> Why:
    text = f"{path} does not exist"
    others = other_environments(path)
    if others:
        what = f"Name {others[0]} in the command, or make the virtual environment where the command looks for it"
        return Why(f"{text}, but {others[0]} does", then(what, again), evidence=(path, *others))
    what = "Install it" if "/bin/" not in path else "Install it, or make its virtual environment anew"
    return Why(text, then(what, again), evidence=(path,))


def other_environments(path: str) -> list[str]:
    """The same program in other virtual environments beside the one that it is missing in."""
    match = re.fullmatch(r"(/.+)/[^/]+/bin/([^/]+)", path)
    if not match:
        return []
    beside = [os.path.join(match[1], name) for name in _untrusted.entries(match[1], 1000)]
    found = [each for each in beside if os.path.isfile(f"{each}/pyvenv.cfg") and os.path.isfile(f"{each}/bin/{match[2]}")]
    return [f"{each}/bin/{match[2]}" for each in found]


def dangling(path: str) -> str:
    """What the last symlink of a chain leads to, if that does not exist."""
    for _step in range(_untrusted.LINKS):
        target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        if not os.path.islink(target):
            return target
        path = target
    return path


def shebang(path: str) -> tuple[str, str]:
    """The interpreter in the first line of a script and what follows it; "" for what is no script."""
    try:
        match = SHEBANG.match(_untrusted.read(path, HEAD))
    except (OSError, ValueError):
        return "", ""
    return (match[1].decode("utf-8", "replace"), match[2].decode("utf-8", "replace")) if match else ("", "")


def _interpreter(path: str, again: str) -> Why | None:
    """Why the interpreter of a script cannot be executed."""
    interpreter, rest = shebang(path)
    if not interpreter:
        try:
            head = _untrusted.read(path, 4)
        except (OSError, ValueError):
            return None
        if head[:4] in (b"\x7fELF", b"") or head[:2] == b"#!":
            return None
        return Why(f"{path} is a script without a first line such as #!/bin/sh", then("Add that line", again), evidence=(path,))
    if interpreter.endswith("\r") or rest.endswith("\r"):
        text = f"the first line of {path} ends with a carriage return, so that its interpreter is not found"
        return Why(text, then(f"Convert its line ends: sed -i s/\\\\r$// {path}", again), evidence=(path,))
    if os.path.exists(interpreter):
        return None
    line = f"{path}: #!{interpreter}{rest}"[:200]
    here = os.path.join(os.path.dirname(path), os.path.basename(interpreter))
    environment = os.path.dirname(os.path.dirname(path))
    text = f"the first line of {path} names {interpreter}, which does not exist"
    if here != interpreter and os.path.exists(here) and os.path.exists(f"{environment}/pyvenv.cfg"):
        text += f": the virtual environment was moved to {environment} after it was made"
    elif os.path.islink(interpreter):
        text += f": it is a symlink to {dangling(interpreter)}"
    what = f"Make the virtual environment {environment} anew where it is, and install its packages again"
    return Why(text, then(what, again), evidence=(line,), code="venv_broken")
