# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Find out whether a user can use sockets, and what prevents it."""

from __future__ import annotations

import difflib
import inspect
import json
import math
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _sockets, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _dump
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _catalog
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import (
    _ask,
    _fix,
    _identity,
    _inside,
    _owner,
    _verdict,
    _warnings,
)
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import LONGEST, Access, Evidence, Target
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity

ASK, INSIDE = inspect.getsource(_ask), inspect.getsource(_inside)
"""Sources of programs that run as another user. Read at import, for the reason that ``app_servers._gunicorn.HOOKS`` has."""

TIMEOUT = 5.0
"""Default seconds that a socket has to answer."""

MARGIN = 3.0
"""Extra seconds for the program to start and end."""

ALIKE = 0.8
"""Similarity from which on one of two paths may be a typo of the other; 1 is identical, see difflib."""

SHARED = ("/run", "/var/run", "/tmp", "/var/tmp")
"""Directories that contain sockets of unrelated programs."""

COMMON = ("gunicorn", "uwsgi", "sockets", "socket", "run", "sock", "apps", "app", "emp", "vassals", "wsgi")
"""Names of directories that may contain sockets of several apps."""

PROTOCOLS = {"uwsgi": ["uwsgi", "http"], "http": ["http", "uwsgi"]}

HIDING = {"PrivateTmp": ("/tmp/", "/var/tmp/"), "ProtectHome": ("/home/", "/root/", "/run/user/")}
"""Settings of systemd.exec(5) and the directories they hide."""


@dataclass
class _Output:
    """The parsed output of the program ``_inside``."""

    entered: str = ""
    became: str = ""
    failed: str = ""
    walks: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    attempts: dict[int, dict[str, Any]] = field(default_factory=dict)


def upstreams() -> list[Target]:
    """All upstreams in the configuration of this host's nginx, except those that depend on the request, or get none at present.

    :raises StackError: nginx is not installed
    """
    found: dict[tuple[str, str], Target] = {}
    for upstream in _configuration.parse(_dump.dump()).upstreams:
        if upstream.variable or upstream.closed:
            continue
        host = next((name for name in upstream.names if name and name[0].isalnum()), "localhost")
        protocol = "tls" if upstream.tls else upstream.protocol
        target = Target(upstream.address, protocol, upstream.uri, host, (), f"{upstream.file}:{upstream.line}")
        found.setdefault((target.address, protocol), target)
    return list(found.values())


def examine(
    targets: Sequence[Target | tuple[Any, ...]],
    identity: Identity | None = None,
    timeout: float = TIMEOUT,
    method: str = "GET",
    host: HostCatalog | None = None,
) -> list[Access]:
    """Examine sockets, and send a request to each.

    :param targets: see ``Target``, or tuples of the same values
    :param identity: the user who connects; nginx's workers by default
    :param timeout: seconds that each socket has to answer; all are tried at the same time
    :param host: what starts servers here, if that has been read
    :returns: the results in the same order
    :raises StackError: nginx's configuration names a user that does not exist
    """
    asked = [target if isinstance(target, Target) else Target(*target) for target in targets]
    if not asked:
        return []
    who = identity or _identity.of_nginx()
    found = _evidence(asked, who, timeout, method, host or _catalog.read())
    return [_access(seen, [*found[:place], *found[place + 1 :]]) for place, seen in enumerate(found)]


def _access(seen: Evidence, others: Sequence[Evidence]) -> Access:
    """The result for a socket. What cannot be judged does not keep the others from being judged."""
    address = seen.target.address
    try:
        verdict = _verdict.verdict(seen)
        return Access(
            address=address,
            protocol=verdict.protocol or seen.target.protocol,
            code=verdict.code,
            message=verdict.message,
            fix=_fix.fix(seen, verdict),
            permanent_fix=_fix.permanent_fix(seen, verdict),
            component=verdict.component,
            status=verdict.status,
            peer=seen.server.result() if seen.server else {},
            warnings=tuple(_warnings.warnings(seen, others)),
            unseen=tuple(_unseen(seen)),
            named_in=seen.target.named_in,
        )
    except (OSError, ValueError, LookupError, StackError) as error:
        message = f"{address} could not be examined: {error or type(error).__name__}."
        return Access(address, seen.target.protocol, "not_checked", message, named_in=seen.target.named_in)


def _unseen(seen: Evidence) -> list[str]:
    found = []
    if seen.obstacle:
        found.append(f"{seen.target.address} was not tested: {seen.obstacle}.")
    found += [f"{step['path']} cannot be examined: {step['error']}." for step in seen.inside if step.get("error") == "EACCES"]
    confined = _confinement(seen.identity.pid)
    if confined:
        found.append(
            f"process {seen.identity.pid} is confined by {confined}; the connection was tested without that confinement."
        )
    if seen.listener and not seen.server:
        found.append(f"the process that listens on {seen.target.address} is not visible.")
    return found


def _confinement(pid: int) -> str:
    """The AppArmor profile or SELinux context of a process, "" if it is unconfined."""
    label = _processes.text(pid, "attr/current").strip(" \n\0")
    return "" if not label or label.startswith("unconfined") or ":unconfined_t:" in label else label


def _evidence(targets: list[Target], identity: Identity, timeout: float, method: str, host: HostCatalog) -> list[Evidence]:
    listeners = _owner.placed(_sockets.listeners(), host)
    protocols = [_protocols(target, listeners) for target in targets]
    seen = _looked(targets, protocols, identity, timeout, method)
    renewed = _identity.renewed(identity) if identity.source == "process" else identity
    protected = _protected()
    setfacl = bool(shutil.which("setfacl", path="/usr/local/bin:/usr/bin:/bin"))
    nginx_unit = _processes.unit(identity.parent or identity.pid) or "" if identity.pid else ""
    elsewhere = bool(seen.entered) and _mounts(identity.pid) != _mounts("self")
    named = {target.address for target in targets}
    named |= {f"unix:{os.path.realpath(target.path)}" for target in targets if target.path}
    found = []
    for place, target in enumerate(targets):
        outside = _inside.walk(target.path) if target.path else []
        evidence = Evidence(
            target, identity, renewed, outside=tuple(outside), protected=protected, setfacl=setfacl, nginx_unit=nginx_unit
        )
        obstacle = seen.failed or (f"only root can become {identity.user}" if seen.became else "")
        if elsewhere and target.path:
            obstacle = f"the mount namespace of process {identity.pid} cannot be entered ({seen.entered})"
            evidence = replace(evidence, entered=seen.entered, obstacle=obstacle)
        else:
            late = {next(iter(protocols[place]), ""): {"stage": "connect", "error": "ETIMEDOUT", "words": "timed out"}}
            attempts = {} if obstacle else seen.attempts.get(place, late)
            inside = seen.walks.get(place, outside)
            evidence = replace(evidence, inside=tuple(inside), attempts=attempts, obstacle=obstacle)
        try:
            evidence = _with_server(evidence, listeners, named, host)
        except (OSError, ValueError, LookupError, StackError):
            pass  # Who serves it is not known; the connection was tested all the same.
        found.append(evidence)
    return found


def _with_server(seen: Evidence, listeners: list[Listener], named: set[str], host: HostCatalog) -> Evidence:
    """Add the server's side: which process listens, what starts it, and what hides its socket."""
    path = seen.target.path
    last = seen.outside[-1] if seen.outside else {}
    resolved = last.get("path", "")
    listener = _owner.fitting(listeners, seen.target.address, resolved, _sockets.file_at(resolved) if resolved else "")
    server = _owner.serving(_pids(seen, listener))
    owner = next((found for place in _places(seen) for found in [_owner.owner(place, server, host)] if found), None)
    if owner and owner.unit.endswith(".socket"):  # systemd listens, a service answers
        service = _systemd.properties(owner.unit, ["Triggers"]).get("Triggers", "")
        activated = _processes.main_process(service) if service else None
        if activated:
            server, owner = activated, replace(owner, unit=service)
    elif server is None and owner and owner.unit and not (owner.program or owner.vassal or owner.user):
        server = _processes.main_process(owner.unit)
    foreign = server is not None and _mounts(server.pid) != _mounts("self")
    seen = replace(seen, listener=listener, server=server, owner=owner, foreign=foreign)
    setting = _owner.setting(owner.files if owner else (), server.command if server else ())
    alike, sure = _alike(path, listeners, named)
    return replace(seen, closing=tuple(_closing(seen)), alike=alike, alike_sure=sure, setting=setting)


def _places(seen: Evidence) -> list[str]:
    """The paths by which a server may know its socket: its end, the targets of symlinks, and the path itself. Pure."""
    steps = [step for step in seen.outside if step.get("kind") == "link"]
    targets = [os.path.normpath(os.path.join(os.path.dirname(step["path"]), step["target"])) for step in steps]
    ends = [step["path"] for step in seen.outside[-1:] if step.get("last")]
    return list(dict.fromkeys([*ends, *reversed(targets), seen.target.path or seen.target.address]))


def _pids(seen: Evidence, listener: Listener | None) -> tuple[int, ...]:
    """The processes of a server: the one that the connection led to, if it has the socket still; else from ss(8).

    In a container, where root may not see who has a socket, the connection alone tells.
    """
    peers = [attempt["peer"][0] for attempt in seen.attempts.values() if attempt.get("peer")]
    if listener and listener.pids:
        return tuple(pid for pid in peers if pid in listener.pids and pid > 1) or listener.pids
    if not peers and listener and seen.target.path and len(seen.target.path.encode()) <= LONGEST and os.geteuid() == 0:
        peers = _peer_of(seen.target.path)
    return tuple(pid for pid in peers if pid > 0)


def _peer_of(path: str) -> list[int]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(0.5)
            connection.connect(path)
            return _ask.peer(connection)[:1]
    except OSError:
        return []


def _closing(seen: Evidence) -> list[tuple[str, str, str]]:
    """The systemd settings, of nginx's unit or the server's, that hide the path from nginx: unit, property, value."""
    units = []
    if seen.identity.pid and _mounts(seen.identity.pid) != _mounts("self") and seen.nginx_unit:
        units.append(seen.nginx_unit)
    if seen.foreign and seen.server and seen.server.unit:
        units.append(seen.server.unit)
    path = (seen.outside[-1]["path"] if seen.outside else "") or seen.target.path
    names = [name for name, hidden in HIDING.items() if f"{path}/".startswith(hidden) or seen.target.path.startswith(hidden)]
    if not names:
        return []
    found = []
    for unit in dict.fromkeys(units):
        values = _systemd.properties(unit, names)
        found += [(unit, name, values[name]) for name in names if values.get(name, "no") not in ("no", "read-only")]
    return found


def _alike(path: str, listeners: list[Listener], named: set[str]) -> tuple[str, bool]:
    """The address of a listening socket that nginx does not name and probably means, "" without one; and whether that is sure."""
    best, address = ALIKE, ""
    beside = []
    for listener in listeners:
        found = listener.address
        if path and found.startswith("unix:") and not found.startswith(("unix:/", "unix:@")):
            # The server was given a relative path: try it relative to the directory of this one.
            found = f"unix:{os.path.join(os.path.dirname(path), found[len('unix:') :])}"
        if not path or not found.startswith("unix:/") or found in named or not os.path.exists(found[len("unix:") :]):
            continue
        if os.path.dirname(found) == f"unix:{os.path.dirname(path)}":
            beside.append(found)
        ratio = difflib.SequenceMatcher(None, f"unix:{path}", found).ratio()
        if ratio > best:
            best, address = ratio, found
    # The only socket in a directory of one app is the one that is meant, whatever its name.
    directory = os.path.dirname(path)
    only = beside[0] if len(beside) == 1 and directory not in SHARED and os.path.basename(directory) not in COMMON else ""
    return only or address, bool(only)


def _protocols(target: Target, listeners: list[Listener]) -> list[str]:
    """The protocols to try, the more likely one first."""
    if target.protocol != "auto":
        return PROTOCOLS.get(target.protocol, [])
    resolved = os.path.realpath(target.path) if target.path else ""
    listener = _owner.fitting(listeners, target.address, resolved)
    server = _owner.serving(listener.pids) if listener else None
    words = " ".join(server.command) if server else ""
    return PROTOCOLS["uwsgi" if "uwsgi" in words and "http" not in words else "http"]


def _looked(targets: list[Target], protocols: list[list[str]], identity: Identity, timeout: float, method: str) -> _Output:
    """Run the program that enters the process's namespaces, takes over its user, and tries the sockets."""
    # nginx's workers are in the namespaces of its main process, which is root's own.
    pids = [pid for pid in (identity.parent or identity.pid,) if pid]
    wanted = {
        "ask": ASK,
        "enter": pids,
        "identity": {"uid": identity.uid, "gid": identity.gid, "groups": list(identity.groups)},
        "targets": [
            {
                "address": target.address,
                "protocols": tried,
                "uri": target.uri,
                "host": target.host,
                "method": method,
                "scheme": target.scheme,
                "timeout": timeout,
            }
            for target, tried in zip(targets, protocols)
        ],
    }
    program = [sys.executable, "-I", "-c", INSIDE]
    limit = timeout * math.ceil(len(targets) / _inside.AT_ONCE) + MARGIN
    done = run(program, timeout=limit, stdin=json.dumps(wanted).encode())
    seen = _parsed(done.output)
    if done.code not in (0, 124):
        seen.failed = done.last_line
    return seen


def _parsed(output: str) -> _Output:
    """Parse the output of the program, one JSON object a line. Pure."""
    seen = _Output()
    for line in output.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        seen.entered = entry.get("entered", seen.entered)
        seen.became = entry.get("became", seen.became)
        if "walk" in entry:
            seen.walks[entry["number"]] = entry["walk"]
        if "attempts" in entry:
            seen.attempts[entry["number"]] = entry["attempts"]
    return seen


def _mounts(pid: int | str) -> list[str]:
    """The ids of a process's mounts, which differ between mount namespaces. Any user may read them, see proc(5)."""
    return [line.split(" ", 1)[0] for line in _processes.text(pid, "mountinfo", _processes.MAPS).splitlines()]


def _protected() -> bool:
    return (_untrusted.text_or_none("/proc/sys/fs/protected_symlinks") or "").strip() != "0"
