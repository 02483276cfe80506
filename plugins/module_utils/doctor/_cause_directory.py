# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Sockets whose directory is not there, or is closed to the server: after a boot, or as another service has stopped."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _command_check
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import WRITE
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _acl, _inside, _lasting

RUN = re.compile(r"/run/([\w.-]+)(/[\w./-]+)?")
PLAIN = re.compile(r"[\w.-]+")


def shared(unit: Mapping[str, str], path: str, others: Iterable[str]) -> Finding | None:
    """Find another unit that has the same runtime directory: as it stopped, systemd removed the directory with the socket.

    :param unit: properties of the unit of the server, which runs
    :param path: of the socket, which is gone
    :param others: the names of the services of the host
    """
    names = [name for name in unit.get("RuntimeDirectory", "").split() if path.startswith(f"/run/{name}/")]
    if not names or unit.get("RuntimeDirectoryPreserve") == "yes":
        return None
    known = _systemd.show(others, ["RuntimeDirectory", "RuntimeDirectoryPreserve"])
    second = [
        name
        for name, each in known.items()
        if name != unit["Id"]
        and names[0] in each.get("RuntimeDirectory", "").split()
        and each.get("RuntimeDirectoryPreserve") != "yes"
    ]
    if not second:
        return None
    units = [unit["Id"], second[0]]
    message = (
        f"{path} is gone, though {units[0]} runs: {units[1]} has the same RuntimeDirectory={names[0]}, and as it stopped, "
        "systemd removed that with all that was in it."
    )
    writes = []
    for name in units:
        directory = f"/etc/systemd/system/{name}.d"
        file = shlex.quote(f"{directory}/runtime-directory.conf")
        writes.append(f"mkdir -p {shlex.quote(directory)} && printf '[Service]\\nRuntimeDirectoryPreserve=yes\\n' > {file}")
    restart = f"systemctl daemon-reload && systemctl restart {shlex.quote(units[0].removesuffix('.service'))}"
    seen = tuple(f"{name}: RuntimeDirectory={names[0]}" for name in units)
    return Finding(BROKEN, "runtime_directory_shared", message, seen, " && ".join([*writes, restart]))


def why(path: str, user: str, group: str, unit: Mapping[str, str] | None, again: str) -> Why | None:
    """Why a server cannot make its socket, None if its directory is not the reason.

    :param path: of the socket, without symlinks
    :param user: whom the server runs as, "" for root
    :param unit: properties of its own unit, None if it has none of its own
    :param again: the command that starts it
    """
    directory = os.path.dirname(path)
    who = _command_check.identity_of(user, group)
    if not path.startswith("/") or who is None:
        return None
    if not os.path.isdir(directory):
        if unit is not None and any(f"/run/{name}" == directory for name in unit.get("RuntimeDirectory", "").split()):
            return None  # systemd makes it at each start
        return Why(
            f"the directory of its socket, {directory}, does not exist",
            _made(directory, who.user, group or who.user, unit, again),
            evidence=(directory,),
            code="socket_directory_missing",
        )
    if who.uid == 0:
        return None
    last = _inside.walk(directory)[-1]
    if "mode" not in last or _acl.ruling(last, who.uid, {who.gid, *who.groups}, WRITE).granted:
        return None
    text = f"its user {who.user} may not write to {directory}, and so cannot make its socket {path}"
    place = f"/run/{os.path.basename(path).rpartition('.')[0] or 'app'}"
    what = f"Let the server listen in a directory of its own, such as {place} (RuntimeDirectory=), and nginx connect there"
    return Why(text, then(what, again), evidence=(directory,), code="socket_directory_closed")


def _made(directory: str, user: str, group: str, unit: Mapping[str, str] | None, again: str) -> str:
    """The command that makes a directory, and at each boot again if it is below /run."""
    match = RUN.fullmatch(directory)
    plain = PLAIN.fullmatch(user) and PLAIN.fullmatch(group)
    if match and not match[2] and unit is not None:
        return _lasting.drop_in(unit["Id"], "runtime-directory", f"RuntimeDirectory={match[1]}")
    if match and plain:
        file = f"/etc/tmpfiles.d/{match[1]}.conf"
        line = f"printf 'd {directory} 0755 {user} {group} -\\n' > {file} && systemd-tmpfiles --create {file}"
        return f"{line} && {again}"
    above = os.path.dirname(directory)
    if _untrusted.is_roots_alone(os.path.realpath(above)) and os.path.isdir(above) and plain:
        return f"install -d -o {user} -g {group} -m 755 {shlex.quote(directory)} && {again}"
    return then(f"Make {directory} as {user}", again)
