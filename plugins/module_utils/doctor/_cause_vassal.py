# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a vassal of a uWSGI Emperor, or an app of Debian's package uwsgi, does not run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _log_causes
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_vassals
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Starter
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _owner

SEARCHED = 300
"""Directories in which a file is looked for."""

CONFIGURATION = re.compile(r"\[uWSGI\] getting \w+ configuration from (\S+)")
"""What a vassal writes first, into the log of its Emperor."""


def of_vassal(log: str, path: str) -> str:
    """What a vassal wrote into its Emperor's log since a start of its own: the last one that says why it ended, else the last.

    Vassals that start at the same time may write among each other's lines. Pure.
    """
    name = os.path.basename(path)
    starts = list(CONFIGURATION.finditer(log))
    parts = []
    for place, start in enumerate(starts):
        if os.path.basename(start[1]) == name:
            end = starts[place + 1].start() if place + 1 < len(starts) else len(log)
            lines = log[start.start() : end].splitlines(keepends=True)
            parts.append("".join(line for line in lines if "[emperor" not in line or name in line))
    telling = [part for part in parts if _log_causes.last_cause(part)]
    return next(iter([*reversed(telling), *reversed(parts)]), "")


def judge(
    unit: str, path: str, address: str, active: bool, tyrant: bool, log: Why | None, lines: tuple[str, ...]
) -> list[Finding]:
    """Judge a vassal or an app of Debian's package whose socket no process serves.

    :param unit: that of its Emperor, or of Debian's package
    :param path: its file
    :param active: whether that unit is not itself the cause
    :param tyrant: whether its Emperor starts each vassal as the owner of its file
    :param log: what its log says
    """
    debian = unit == _starter_vassals.DEBIAN_UNIT
    what = f"The {'app' if debian else 'vassal'} {path}, which should listen on {address},"
    short = shlex.quote(unit.removesuffix(".service"))
    if not active:
        return []  # the unit is the cause
    again = f"systemctl restart {short}" if debian else _owner.touched(path)
    owner = _owned(path)
    if tyrant and owner == 0:
        message = f"{what} is not started: its file belongs to root, and a tyrant Emperor starts none of root's."
        user = user_in(path)
        fix = (
            f"chown {shlex.quote(user)} {shlex.quote(path)}"
            if user
            else then(f"Give {path} to the user of its app with chown", "")
        )
        return [Finding(BROKEN, "vassal_of_root", message, (f"{path}: owner root",), fix)]
    if log:
        return [Finding(BROKEN, log.code or "vassal_failed", f"{what} has ended: {log.text}.", (*lines, *log.evidence), log.fix)]
    if debian:
        message = f"{what} has ended, and {unit} does not start an app again that has ended: only a restart of all of them does."
        return [Finding(BROKEN, "vassal_ended", message, lines, again)]
    message = f"{what} does not run, while its Emperor ({unit}) does."
    return [Finding(BROKEN, "vassal_ended", message, lines, again)]


def _owned(path: str) -> int:
    try:
        return os.stat(path).st_uid
    except OSError:
        return -1


def user_in(path: str) -> str:
    """The owner of the directory that a vassal's app is in, "" if that is root or not known."""
    from_file = _starter_vassals.text_of(path)
    match = re.search(r"^[ \t]*uid[ \t]*=[ \t]*([\w.-]+)[ \t]*$", from_file.text, re.MULTILINE)
    if match and match[1] not in ("root", "0"):
        return match[1]
    try:
        owner = os.stat(from_file.directory).st_uid
    except OSError:
        return ""
    return _accounts.user_name(owner) if owner else ""


def judge_dangling(vassals: Iterable[Starter], address: str, site: str) -> list[Finding]:
    """Find the vassal of a socket that nothing names, among those whose files are symlinks that lead nowhere.

    :param address: the path of the socket
    :param site: the name of the site
    """
    for vassal in vassals:
        if vassal.dangling and is_meant(vassal.vassal, address, site):
            message = (
                f"The vassal {vassal.vassal} is a symlink to {vassal.dangling}, which does not exist: its app is not started."
            )
            fix = then(f"Restore {vassal.dangling}, or point the symlink to where it is now", "")
            moved = moved_to(vassal.dangling)
            if len(moved) == 1:
                message = f"{message.rstrip('.')}; {moved[0]} does."
                fix = f"ln -sfn {shlex.quote(moved[0])} {shlex.quote(vassal.vassal)}"
            return [Finding(BROKEN, "vassal_dangling", message, (f"{vassal.vassal} -> {vassal.dangling}",), fix)]
    return []


def moved_to(path: str) -> list[str]:
    """The files of the same name up to two directories below the one in which a file is missing, where its app has it now."""
    directory, name = os.path.split(path)
    if directory.count("/") < 2:  # one such as /srv contains more than one app
        return []
    inner = [f"{directory}/{each}" for each in _untrusted.entries(directory, 300) if os.path.isdir(f"{directory}/{each}")]
    deeper = [
        f"{path}/{each}" for path in inner[:50] for each in _untrusted.entries(path, 300) if os.path.isdir(f"{path}/{each}")
    ]
    return [f"{place}/{name}" for place in [*inner, *deeper[:SEARCHED]] if os.path.isfile(f"{place}/{name}")]


def _directories(path: str) -> list[str]:
    return [place for name in _untrusted.entries(path, SEARCHED) for place in [f"{path}/{name}"] if os.path.isdir(place)]


def is_meant(path: str, address: str, site: str) -> bool:
    """Whether the name of a vassal's file is also that of a socket, of its directory or of a site. Pure."""
    stem = os.path.splitext(os.path.basename(path))[0]
    socket = os.path.splitext(os.path.basename(address))[0]
    return len(stem) > 1 and stem in (socket, os.path.basename(os.path.dirname(address)), site, site.split(".")[0])
