# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Decide whether a user can use a socket, and find the first obstacle. Pure.

The real connection decides; the path explains why.
"""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host._accounts import group_name, user_name
from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import SEARCH
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _acl, _walk
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import LONGEST, Evidence, Verdict
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._walk import Refusal, Step

PRIVATE = ("/tmp/", "/var/tmp/")
"""Directories that PrivateTmp= of systemd.exec(5) replaces for a service."""

ENDED = ("EOF", "ECONNRESET", "EPIPE")

GONE = ("ECONNREFUSED", "ENOENT")
"""Errors of an attempt after one that a server has answered, if that has ended meanwhile."""


def verdict(seen: Evidence) -> Verdict:
    """The code ``ok``, or the first obstacle."""
    path = seen.target.path
    if len(path.encode()) > LONGEST:
        found = f"The path of a unix socket is limited to {LONGEST} bytes; this one has {len(path.encode())}: {path}"
        return Verdict("name_too_long", _sentence(found), path)
    attempt = next(iter(seen.attempts.values()), None)
    if attempt is None:
        return _unconnected(seen)
    if attempt["stage"] == "connect":
        return _unix(seen, attempt) if seen.target.address.startswith("unix:") else _tcp(seen, attempt)
    return _answer(seen)


def _sentence(text: str) -> str:
    return f"{text}."


def _unconnected(seen: Evidence) -> Verdict:
    """Judge by the path alone, when no connection could be tried."""
    found = _no_socket(seen) or _denied(seen)
    last = seen.inside[-1] if seen.inside else {}
    if found and not seen.entered:
        return found
    if last.get("error") == "ENOENT" and not seen.entered:
        return _missing(seen, last)
    return Verdict(
        "not_checked", _sentence(f"Cannot test whether {_who(seen.identity)} can use {seen.target.address}: {seen.obstacle}")
    )


def _unix(seen: Evidence, attempt: dict[str, Any]) -> Verdict:
    error, address = attempt["error"], seen.target.address
    last = seen.inside[-1] if seen.inside else {}
    if error == "ENOENT":
        return _missing(seen, last)
    if error == "EACCES":
        hidden = _hidden(seen)
        return hidden or _no_socket(seen) or _denied(seen) or _policy(seen)
    if error == "ELOOP":
        return Verdict("link_loop", _sentence(f"{last.get('path', address)} is part of a symlink loop"), last.get("path", ""))
    if error == "ENOTDIR" and last and "error" not in last:
        cause = f"{address} ends with a slash, as a directory does, and {last['path']} is none"
        return Verdict("trailing_slash", _sentence(cause), last["path"])
    if error == "ENOTDIR":
        where = seen.inside[-2]["path"] if len(seen.inside) > 1 else address
        return Verdict("not_a_socket", _sentence(f"{where} is not a directory, so {address} cannot exist"), where)
    if error == "ECONNREFUSED":
        other = _no_socket(seen)
        if other:
            return other
        stale = "; the socket was left behind by a server that has ended" if last.get("kind") == "socket" else ""
        return Verdict(
            "refused",
            _sentence(f"Connection refused: nothing listens on {address}{stale}{_owned(seen)}"),
            last.get("path", seen.target.path),
        )
    if error == "EAGAIN":
        listener = seen.listener
        queue = f" ({listener.waiting} of at most {listener.limit} connections wait)" if listener else ""
        cause = f"The listen queue (backlog) of {address} is full{queue}: {_server(seen)} accepts no more"
        return Verdict("backlog_full", _sentence(cause), last.get("path", seen.target.path))
    if error == "EPROTOTYPE":
        return Verdict(
            "wrong_socket_type", _sentence(f"{address} is a datagram socket, not a stream socket"), last.get("path", "")
        )
    if error == "ETIMEDOUT":
        return Verdict("connect_timeout", _sentence(f"The connection to {address} timed out"), seen.target.path)
    return Verdict("failed", _sentence(f"{_who(seen.identity)} cannot connect to {address}: {attempt['text']}"), seen.target.path)


def _no_socket(seen: Evidence) -> Verdict | None:
    """The verdict if the path leads to something else than a socket."""
    last = seen.inside[-1] if seen.inside else {}
    what = {"file": "a file", "directory": "a directory", "other": "a special file"}.get(last.get("kind", ""))
    if what is None or any(each.path != last["path"] for each in refusals(seen, seen.identity)):
        return None
    return Verdict("not_a_socket", _sentence(f"{last['path']} is {what}, not a socket"), last["path"])


def _missing(seen: Evidence, last: Step) -> Verdict:
    hidden = _hidden(seen)
    if hidden:
        return hidden
    where = last.get("path", seen.target.path)
    chain = _walk.links(list(seen.inside))
    if chain and last.get("error"):
        link = chain[-1]
        cause = f"{link['path']} is a dangling symlink to {link['target']}: {where} does not exist{_owned(seen)}"
        return Verdict("dangling_link", _sentence(cause), link["path"])
    if not seen.target.path:
        return Verdict("missing", _sentence(f"The socket {seen.target.address} does not exist"), seen.target.address)
    cause = f"{where} does not exist"
    if where != seen.target.path:
        cause += f", so {seen.target.address} does not either"
    if seen.listener:
        cause += f"; {_server(seen)} still listens on it, but the file was removed"
    elif seen.alike:
        cause += f", but a server listens on {seen.alike}, which nginx does not use"
    return Verdict("missing", _sentence(cause + _owned(seen)), where)


def _hidden(seen: Evidence) -> Verdict | None:
    """The verdict if a mount namespace hides the socket: that of nginx, or that of the server."""
    outside = seen.outside[-1] if seen.outside else {}
    address = seen.target.address
    private = "private_tmp" if _private(seen) else "hidden_by_namespace"
    settings = " and ".join(f"{name}={value} of {unit}" for unit, name, value in seen.closing)
    because = f" because of {settings}" if settings else ""
    place = _walk.hidden(list(seen.inside), list(seen.outside))
    if outside.get("kind") == "socket" and (place or seen.inside[-1].get("error") == "ENOENT"):
        where = place or seen.inside[-1]["path"]
        cause = f"{_who(seen.identity)} has a private {where}{because}, so it cannot see {address}"
        return Verdict(private, _sentence(cause), where)
    if outside.get("error") == "ENOENT" and seen.listener and seen.foreign:
        where = outside["path"]
        cause = f"{_server(seen)} has a private file system{because}, so no other process can see its {address}"
        return Verdict(private, _sentence(cause), where)
    return None


def _private(seen: Evidence) -> bool:
    end = (seen.outside or seen.inside or ({"path": seen.target.path},))[-1]["path"]
    return any(path.startswith(PRIVATE) for path in (seen.target.path, end))


def refusals(seen: Evidence, identity: Identity) -> list[Refusal]:
    """The path components that deny a user access."""
    return _walk.refusals(list(seen.inside), identity.uid, {identity.gid, *identity.groups}, seen.protected)


def _denied(seen: Evidence) -> Verdict | None:
    found = refusals(seen, seen.identity)
    if not found:
        return None
    first = found[0]
    later = {each.path for each in refusals(seen, seen.renewed)}
    who, step = _who(seen.identity), first.step
    more = [each.path for each in found[1:]]
    also = f"; {' and '.join(more)} {'denies' if len(more) == 1 else 'deny'} access, too" if more else ""
    if first.path not in later:
        groups = sorted(set(seen.renewed.groups) - set(seen.identity.groups) - {seen.identity.gid})
        names = ", ".join(group_name(group) for group in groups)
        cause = (
            f"{seen.identity.user} was added to the group {names}, but process {seen.identity.pid}, which started before, is not "
            f"in it, and {_shown(step)} denies it access{also}"
        )
        return Verdict("group_not_effective", _sentence(cause), first.path, refusals=tuple(found))
    if first.code == "protected_symlink":
        cause = (
            f"{step['path']} is a symlink of {user_name(step['uid'])} in a world-writable directory, and only "
            f"{user_name(step['uid'])} may follow it (fs.protected_symlinks){also}"
        )
        return Verdict("protected_symlink", _sentence(cause), first.path, refusals=tuple(found))
    right = "search permission (x)" if first.want == SEARCH else "write permission (w), which connecting needs"
    if first.code == "acl_denied":
        cause = f"Permission denied: the access control list of {_shown(step)} does not give {who} {right}{also}"
        return Verdict("acl_denied", _sentence(cause), first.path, refusals=tuple(found))
    setting = seen.setting
    if first.code == "no_write_permission" and setting and stale_setting(seen, first):
        cause = (
            f"Permission denied: {_shown(step)} does not give {who} {right}. {setting.file} does, but {_server(seen)} "
            f"was started before that file changed"
        )
        return Verdict("mode_not_effective", _sentence(cause), first.path, refusals=tuple(found))
    cause = f"Permission denied: {_shown(step)} does not give {who} {right}{also}"
    return Verdict(first.code, _sentence(cause), first.path, refusals=tuple(found))


def stale_setting(seen: Evidence, refusal: Refusal) -> bool:
    """Whether a restart of the server fixes the mode of its socket, since its configuration changed after its start."""
    setting, step = seen.setting, refusal.step
    if setting is None or seen.server is None or setting.mode < 0 or setting.changed <= seen.server.started:
        return False
    ruling = _acl.ruling(
        {**step, "mode": setting.mode, "acl": ""}, seen.identity.uid, {seen.identity.gid, *seen.identity.groups}, refusal.want
    )
    group = not setting.group or setting.group == group_name(step["gid"])
    return ruling.granted and group and setting.mode != step["mode"]


def _policy(seen: Evidence) -> Verdict:
    if seen.entered:
        cause = (
            f"Permission denied: {_who(seen.identity)} cannot use {seen.target.address}. Owners and modes allow it, so "
            f"the reason is in its mount namespace, which cannot be entered from here"
        )
        return Verdict("hidden_by_namespace", _sentence(cause), seen.target.path)
    cause = (
        f"Permission denied: {_who(seen.identity)} cannot use {seen.target.address}. Owners, modes and access control lists "
        f"allow it, so a security module such as AppArmor or SELinux denies it"
    )
    return Verdict("denied_by_policy", _sentence(cause), seen.target.path)


def _tcp(seen: Evidence, attempt: dict[str, Any]) -> Verdict:
    address, error = seen.target.address, attempt["error"]
    host = address.rpartition(":")[0]
    if error == "EINVAL" and not host:
        cause = f"{address} is no address: it has no port, and there is no upstream block of that name"
        return Verdict("unresolvable", _sentence(cause), address)
    if error == "GAI":
        return Verdict("unresolvable", _sentence(f"The host name {host} does not resolve: {attempt['text']}"), host)
    if error == "ECONNREFUSED":
        return Verdict("refused", _sentence(f"Connection refused: nothing listens on {address}{_owned(seen)}"), address)
    if error in ("EHOSTUNREACH", "ENETUNREACH"):
        return Verdict("no_route", _sentence(f"No route to {address}: {attempt['text']}"), address)
    if error == "ETIMEDOUT":
        return Verdict(
            "connect_timeout",
            _sentence(f"The connection to {address} timed out; the cause may be a full listen queue or a firewall"),
            address,
        )
    return Verdict("failed", _sentence(f"{_who(seen.identity)} cannot connect to {address}: {attempt['text']}"), address)


def _answer(seen: Evidence) -> Verdict:
    wanted, address = seen.target.protocol, seen.target.address
    if "" in seen.attempts:
        return Verdict(
            "ok",
            _sentence(f"{address} accepts connections; no request was sent, since the protocol is {wanted}"),
            protocol=wanted,
        )
    answered = {name: attempt["status"] for name, attempt in seen.attempts.items() if attempt["stage"] == "done"}
    if wanted == "http" and answered == {"uwsgi": 400} and _is_of_http(seen) and seen.attempts[wanted]["error"] in ENDED:
        return _closed(seen)  # gunicorn closes the connection if its app raises, and refuses the other protocol's bytes
    asked = next(iter(seen.attempts))
    # A server that gets the wrong protocol may answer 400, so an answer other than 400 shows the right one.
    right = next((name for name, status in answered.items() if status != 400), next(iter(answered), ""))
    if wanted not in ("auto", right) and right:
        cause = (
            f"Wrong protocol: {address} speaks {_protocol_name(right)}, but nginx is configured to use {_protocol_name(wanted)}"
        )
        return Verdict("wrong_protocol", _sentence(cause), seen.target.path or address, answered[right], right)
    if right:
        return _status(seen, answered[right], right)
    attempt = seen.attempts[asked]
    where = seen.target.path or address
    if attempt["error"] == "ETIMEDOUT":
        cause = f"{_server(seen)} accepted the connection to {address}, but did not answer before the timeout"
        return Verdict("no_answer", _sentence(cause), where)
    # A server that waits for more of the other protocol has closed the connection in the one that nginx speaks all the same.
    if all(each["error"] in (*ENDED, *GONE, "ETIMEDOUT") for each in seen.attempts.values()):
        return _closed(seen)
    return Verdict(
        "no_http", _sentence(f"{_server(seen)} answers on {address}, but not with HTTP: {attempt.get('text', '')!r}"), where
    )


def _closed(seen: Evidence) -> Verdict:
    cause = f"{_server(seen)} closed the connection to {seen.target.address} without answering"
    return Verdict("closed", _sentence(cause), seen.target.path or seen.target.address)


def _is_of_http(seen: Evidence) -> bool:
    """Whether a server is known to speak HTTP."""
    words = [os.path.basename(word) for word in seen.server.command[:3]] if seen.server else []
    return bool(words) and not any("uwsgi" in word.lower() for word in words)


def _status(seen: Evidence, status: int, protocol: str) -> Verdict:
    target = seen.target
    fine = status in target.statuses if target.statuses else status < 500
    if fine:
        message = f"{_who(seen.identity)} can use {target.address}: it answers {status} over {_protocol_name(protocol)}"
        return Verdict("ok", _sentence(message), status=status, protocol=protocol)
    expected = " or ".join(map(str, target.statuses)) or "a status below 500"
    cause = f"The app at {target.address} answers {status} to {target.uri} for {target.host}; expected {expected}"
    return Verdict("bad_status", _sentence(cause), target.path or target.address, status, protocol)


def _protocol_name(protocol: str) -> str:
    return {"http": "HTTP", "uwsgi": "the uwsgi protocol"}.get(protocol, protocol)


def _shown(step: Step) -> str:
    return f"{step['path']} ({_acl.described(step, user_name(step['uid']), group_name(step['gid']))})"


def _who(identity: Identity) -> str:
    groups = ", ".join(group_name(group) for group in sorted({identity.gid, *identity.groups}))
    return f"{'nginx, running as ' if identity.nginx else ''}{identity.user} (groups {groups})"


def _server(seen: Evidence) -> str:
    return seen.server.name if seen.server else "The server"


def _owned(seen: Evidence) -> str:
    return f"; {seen.owner.name} should listen there" if seen.owner else ""
