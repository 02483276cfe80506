# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Whether visitors get to a site at all: by IPv4 and IPv6, by its names, and on its ports."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit, _selection
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Listen, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive

OUTSIDE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses for documentation, see RFC 5737 and RFC 3849: the way there is the way to everybody else."""

NAME = re.compile(r"[a-z0-9]([\w.-]*[a-z0-9])?", re.IGNORECASE)
"""A name that a visitor can ask for: no pattern and no wildcard."""

KEPT = ("ssl", "http2", "proxy_protocol")
"""The options of ``listen`` that a second one needs, too."""

Listening = Callable[[str, int], bool]


@dataclass(frozen=True)
class Addresses:
    """The IP addresses of this host.

    :ivar own: all of them
    :ivar v4: the one that it uses with others, as ``v6``; "" if it uses none
    """

    own: frozenset[str] = frozenset()
    v4: str = ""
    v6: str = ""

    def of(self, listen: Listen) -> str:
        """Where to connect to get to a ``listen``; "" if it is none of this host's addresses."""
        if listen.port is None:
            return ""
        host = listen.host
        if host == "*":
            host = self.v4 or "127.0.0.1"
        if host == "::":
            host = self.v6 or "::1"
        return host if host in self.own or host.startswith("127.") else ""


def addresses(own: Iterable[str]) -> Addresses:
    """Find out which of this host's addresses it uses with others. Nothing is sent for that."""
    found = {}
    for family, outside in OUTSIDE.items():
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))
            found[family] = str(probe.getsockname()[0])
    mine = frozenset(own)
    usable = {family: address for family, address in found.items() if address in mine}
    return Addresses(mine, usable.get(socket.AF_INET, ""), usable.get(socket.AF_INET6, ""))


def listening(address: str, port: int) -> bool:
    """Whether anything accepts connections there."""
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def plain(names: Iterable[str]) -> list[str]:
    """The names that a visitor can ask for, without patterns and wildcards. Pure."""
    return [name for name in names if NAME.fullmatch(name) and name != "_"]


def judge(site: Site, servers: Sequence[ServerBlock], mine: Addresses, is_listening: Listening = listening) -> list[Finding]:
    """Find names of a site that lead to another site, or nowhere. It connects to ports of this host.

    :param servers: all server blocks
    """
    findings: list[Finding] = []
    if not site.upstreams:
        return findings
    for server in site.servers:
        for listen in server.listens:
            if listen.quic or listen.port is None or listen.host not in ("*", "::"):
                continue
            for name in plain(server.names):
                if any((finding.evidence or ("",))[0].startswith(f"{name}:{listen.port} ") for finding in findings):
                    continue
                findings += _judge_name(site, servers, name, listen.port, mine, is_listening)
    return _once(findings)


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each cause, however many names show it. Pure."""
    found: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        found.setdefault((finding.code, finding.fix), finding)
    return list(found.values())


def targets(answer: object, mine: Addresses) -> list[str]:
    """The addresses of this host that visitors of a name come to. Pure.

    :param answer: see ``_host.resolve``
    """
    resolved = [str(each) for each in answer] if isinstance(answer, list) else []
    own = [address for address in resolved if address in mine.own and not address.startswith("127.") and address != "::1"]
    usual = [mine.v4] if mine.v4 else []
    return own if any("." in each for each in own) or (own and len(own) == len(resolved)) else [*usual, *own]


def _judge_name(
    site: Site, servers: Sequence[ServerBlock], name: str, port: int, mine: Addresses, is_listening: Listening
) -> list[Finding]:
    found = []
    for address in [*targets(site.dns.get(name), mine), *_loopback(servers, port)]:
        block = _selection.chosen(servers, address, port, name)
        if block is not None and any(block is server for server in site.servers):
            continue
        six = ":" in address
        seen = [f"{name}:{port} at {address}: {'another server block answers' if block else 'connection refused'}"]
        if block:
            seen.append(f"{block.file}:{block.line}: {' '.join(block.names) or 'no server_name'}")
        elif is_listening(address, port):
            continue  # Another program takes the requests, as a proxy may.
        pairs = _pairs(site, name, port)
        shadow = block and any(listen.host == address for listen in block.listens if listen.port == port)
        added = f"[::]:{port}" if six else f"{address}:{port}" if shadow else f"*:{port}"
        if six and shadow:
            added = f"[{address}]:{port}"
        fix = (
            _add_listens(pairs, added)
            or f"Add 'listen {added}' to the server block at {site.servers[0].file}:{site.servers[0].line}, and reload nginx."
        )
        found.append(_unreached(name, port, address, block, bool(shadow), tuple(seen), fix))
    return found


def _loopback(servers: Sequence[ServerBlock], port: int) -> list[str]:
    """The loopback address, if a site of its own takes what comes to it, as from a proxy or a tunnel on this host. Pure."""
    taken = any(listen.address == f"127.0.0.1:{port}" for server in servers if server.upstreams for listen in server.listens)
    return ["127.0.0.1"] if taken else []


def _unreached(
    name: str, port: int, address: str, block: ServerBlock | None, shadow: bool, seen: tuple[str, ...], fix: str
) -> Finding:
    if shadow and block:
        message = (
            f"Visitors of {name} get another site: {block.file} listens on {address}:{port}, and of what comes there nginx gives "
            f"nothing to server blocks with 'listen {port}'."
        )
        severity = WARNING if address.startswith("127.") else BROKEN
        return Finding(severity, "other_server", message, seen, fix)
    if ":" in address:
        what = "get another site" if block else "are refused, and have to try IPv4"
        message = f"{name} has the IPv6 address {address}, but its server block does not listen on IPv6: visitors by IPv6 {what}."
        return Finding(BROKEN if block else WARNING, "ipv6_missing", message, seen, fix)
    what = "get another site" if block else "get no answer"
    message = f"{name} listens on IPv6 only ('listen [::]:{port}'): visitors by IPv4 {what}."
    return Finding(BROKEN, "ipv4_missing", message, seen, fix)


def _pairs(site: Site, name: str, port: int) -> list[tuple[Directive, Listen]]:
    """The ``listen`` directives of a name for all addresses at a port. Pure."""
    found = []
    for server in site.servers:
        directives = [each for each in server.block if each.name == "listen" and each.arguments]
        pairs = zip(directives, server.listens) if name in server.names else ()
        suiting = [pair for pair in pairs if pair[1].port == port and pair[1].host in ("*", "::") and not pair[1].quic]
        found += suiting[:1]
    return found


def _add_listens(pairs: Sequence[tuple[Directive, Listen]], added: str) -> str:
    """The command that makes server blocks listen on another address, too; "" if it would not be safe."""
    edits = []
    for directive, listen in pairs:
        words = " ".join(("listen", *directive.arguments))
        here = " ".join(("listen", listen.address, *directive.arguments[1:]))  # *:80 for 80, so that both families can be seen
        more = " ".join(("listen", added, *(option for option in listen.options if option in KEPT)))
        edits.append(_edit.edit(directive.file, directive.line, words, f"{here}; {more}"))
    return _edit.applied(edits)
