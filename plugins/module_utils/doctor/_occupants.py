# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Who serves an address, and who should: servers started by hand, two servers for one address, forwarders without a server."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Named, Starter

CONTAINER = re.compile(r"/(?:docker|kubepods|lxc|machine\.slice|libpod|system\.slice/docker-|user\.slice/.*libpod)")
LOGIN = ("ssh", "sshd", "getty", "serial-getty", "console-getty")
FORWARDERS = {"socat", "docker-proxy", "systemd-socket-proxyd", "socat1", "haproxy", "redir", "rinetd"}


@dataclass(frozen=True)
class Occupant:
    """What is known of the process that serves an address.

    :ivar origin: how it was started, if nothing would start it again: ``was started by hand, in a shell``; "" else
    """

    process: ServerProcess
    origin: str = ""


def group_path(text: str, root: str) -> str:
    """The control group of a process below systemd's own root, from the text of /proc/PID/cgroup. Pure.

    :param root: systemd's own, which is not ``/`` in some containers, see ``group_root``
    """
    lines = dict(line.split(":", 2)[1:] for line in text.splitlines() if line.count(":") >= 2)
    path = lines.get("name=systemd") or lines.get("") or ""
    return path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path


def group_root(text: str) -> str:
    """Systemd's root in the tree of control groups, from the text of /proc/1/cgroup. Pure."""
    path = group_path(text, "")
    return path.removesuffix("/init.scope") if path.endswith("/init.scope") else ""


def by_hand(path: str) -> str:
    """Where a process was started that no service runs, "" if one does. Pure.

    :param path: see ``group_path``
    """
    if CONTAINER.match(path) or path.startswith("/.."):
        return ""
    inner = re.search(r"/user@\d+\.service/(.*)", path)
    if inner:
        return "" if re.search(r"[^/]+\.service(?:/|$)", inner[1]) else "a session of its user"
    if re.search(r"/session-[^/]+\.scope", path):
        return "a login session"
    services = re.findall(r"/([^/]+)\.service", path)
    if not services:
        return "a shell" if not path.endswith(".scope") or path.startswith("/user.slice") else ""
    return "a login session" if services[0].split("@")[0] in LOGIN else ""


def where_started(pid: int) -> str:
    """As ``by_hand``, for a process that runs."""
    root = group_root(_processes.text(1, "cgroup"))
    text = _processes.text(pid, "cgroup")
    return by_hand(group_path(text, root)) if text else ""


def same_app(process: ServerProcess, starter: Starter, user: str) -> bool:
    """Whether a process is what a starter would start: of the same user, in the same directory or environment. Pure.

    :param user: whom the starter starts it as, "" if that is not known
    """
    place = next((text.directory for text in starter.texts if text.directory), "")
    beginning = starter.texts[0].text if starter.texts else ""
    mine = process.directory.rstrip("/")
    alike = bool(mine) and (place.rstrip("/") == mine or f"{mine}/" in beginning)
    alike = alike or bool(process.environment and process.environment in beginning)
    return alike and (not user or process.user.split(",")[0] == user)


def judge(
    occupant: Occupant, address: str, named: Sequence[Named], states: Mapping[str, Mapping[str, str]], owner: str
) -> list[Finding]:
    """Judge who serves an address. Pure.

    :param named: what would start a server there, see ``Catalog.naming``
    :param states: properties of the units among them
    :param owner: the unit or program that runs the process now, "" without one
    """
    process = occupant.process
    others = [each.starter for each in named if not each.starter.listens]
    others = [starter for starter in others if not owner or owner not in (starter.unit, starter.program, starter.vassal)]
    others = [starter for starter in others if starter.is_server or starter.vassal]
    if occupant.origin and others:
        return [_taken(occupant, address, others[0], states)]
    if occupant.origin:
        message = (
            f"{process.name}, which listens on {address} as {process.user}, {occupant.origin}: nothing starts "
            "it after the next boot, or when it ends."
        )
        user, place = process.user.split(",")[0], process.directory or "its directory"
        fix = then(f"Make a systemd unit that runs it as {user} in {place}, and enable it", "")
        return [Finding(WARNING, "not_supervised", message, (process.command[:200],), fix)]
    waiting = [each for each in others if _wants(each, states)]
    if not waiting or not owner:
        return []
    other = waiting[0]
    message = f"{address} belongs to {owner} ({process.name}), so {_name(other)}, which is to listen there too, cannot start."
    fix = then(f"Decide which of the two is to serve {address}, and give the other one another address or disable it", "")
    return [Finding(WARNING, "address_taken", message, (other.file,), fix)]


def _name(starter: Starter) -> str:
    return f"the supervisor program {starter.program}" if starter.program else starter.vassal or starter.unit


def _wants(starter: Starter, states: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a unit tries to start, or is to be started at boot."""
    state = states.get(starter.unit, {})
    if starter.program or starter.vassal or starter.user:
        return False
    return state.get("ActiveState") in ("failed", "activating") or state.get("SubState") == "auto-restart"


def _taken(occupant: Occupant, address: str, starter: Starter, states: Mapping[str, Mapping[str, str]]) -> Finding:
    process, name = occupant.process, _name(starter)
    message = (
        f"{process.name}, which listens on {address} since {moment(process)}, {occupant.origin}; {name}, "
        "which is to listen there, cannot start as long as it runs, and visitors get what that old process serves."
    )
    state = states.get(starter.unit, {})
    if starter.program:
        start = f"{starter.control} restart {shlex.quote(starter.program)}"
    elif starter.vassal or starter.user:
        start = ""
    else:
        short = shlex.quote(starter.unit.removesuffix(".service"))
        start = f"systemctl restart {short}"
        if state.get("UnitFileState") == "disabled" and not starter.enabled:
            start = f"systemctl enable {short} && {start}"
    seen = (process.command[:200], f"{name}: {state.get('ActiveState')} ({state.get('SubState')})" if state else name)
    if start and (occupant.origin == LEFT_OVER or same_app(process, starter, state.get("User", ""))):
        return Finding(WARNING, "address_taken", message, seen, f"{ended(process.pid)} && {start}")
    what = f"Decide whether process {process.pid} is to serve {address}, and if not, end it"
    return Finding(WARNING, "address_taken", message, seen, then(what, start))


LEFT_OVER = "is left over from an earlier run of its supervisor program, whose script has not ended it"
"""How a server was started that supervisor no longer knows: its script has to start it with exec."""


def ended(pid: int) -> str:
    """The command that ends a process and waits until it has ended."""
    return f"kill {pid} && timeout 40 tail --pid={pid} -f /dev/null"


def moment(process: ServerProcess) -> str:
    """When a process was started, in words."""
    return str(process.result()["since"]) or "an unknown time"


def judge_outlived(address: str, process: ServerProcess | None, outlived: Iterable[Listener]) -> list[Finding]:
    """Find servers whose socket another one has replaced: they run, get no requests, and may remove the path as they end.

    :param process: the one that gets the requests
    """
    found = []
    for listener in outlived:
        pid = min((pid for pid in listener.pids if pid > 1), default=0)
        other = _processes.described(pid) if pid else None
        if other is None or (process and process.pid == pid):
            continue
        serves = (
            f"{process.name}{f' ({process.unit})' if process.unit else ''} gets the requests"
            if process
            else "another one gets the requests"
        )
        message = (
            f"Two servers listen on {address}: {serves}, while {other.name}{f' ({other.unit})' if other.unit else ''} has lost "
            "the socket to it, and may remove the other's as it ends."
        )
        stop = f"systemctl disable --now {shlex.quote(other.unit.removesuffix('.service'))}" if other.unit else f"kill {pid}"
        keep = f" && systemctl restart {shlex.quote(process.unit.removesuffix('.service'))}" if process and process.unit else ""
        what = f"Decide which of the two is to serve {address}, and if it is the one that gets the requests now"
        found.append(Finding(WARNING, "two_servers", message, (" ".join(other.command)[:200],), then(what, f"{stop}{keep}")))
    return found


def judge_forwarder(process: ServerProcess, address: str, listeners: Sequence[Listener]) -> Finding | None:
    """Find a forwarder behind which nothing listens. Pure.

    :param process: the one that took the connection, and closed it without an answer
    """
    words = process.command.split()
    program = os.path.basename(words[0]) if words else ""
    if program not in FORWARDERS:
        return None
    target = forwarded(words)
    if not target:
        return None
    container = program == "docker-proxy"
    if not container and any(_leads(listener.address, target) for listener in listeners):
        return None
    unit = f" ({process.unit})" if process.unit else ""
    message = f"{process.name}{unit} takes the connections to {address} for {target}, where nothing listens."
    what = f"Start the server that should listen on {target}"
    if container:
        message = f"Docker takes the connections to {address} for {target}, where nothing accepts them."
        what = "Let the program in the container listen on 0.0.0.0, not on 127.0.0.1, or start it"
    return Finding(BROKEN, "forwarder_without_server", message, (process.command[:200],), then(what, ""))


def _leads(listening: str, target: str) -> bool:
    if target.startswith("/"):
        return listening == f"unix:{target}"
    return listening.rpartition(":")[2] == target.rpartition(":")[2] and not listening.startswith("unix:")


def forwarded(words: Sequence[str]) -> str:
    """Where a forwarder leads, by its command: ``host:port`` or a path; "" if it does not say. Pure."""
    command = " ".join(words)
    docker = re.search(r"-container-ip (\S+) -container-port (\d+)", command)
    if docker:
        return f"{docker[1]}:{docker[2]}"
    if words and os.path.basename(words[0]) == "systemd-socket-proxyd":
        return words[-1] if re.fullmatch(r"/\S+|[\w.\[\]:-]*:\d+", words[-1]) else ""
    socat = re.findall(r"\b(?:TCP4?|TCP6|TCP-CONNECT|UNIX-CONNECT|UNIX):([^\s,]+)", command, re.IGNORECASE)
    return socat[-1] if socat else ""
