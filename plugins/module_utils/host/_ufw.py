# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports that ufw, the firewall of Debian and Ubuntu, lets in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run


class FirewallError(Exception):
    """ufw did not do what it was asked for; the message is one sentence."""


@dataclass(frozen=True)
class Rule:
    """A rule about incoming TCP.

    ``ports``: ranges, first and last included. ``anybody``: it is about every source and every address of the host.
    """

    action: str
    ports: tuple[tuple[int, int], ...]
    anybody: bool = True
    comment: str = ""

    def covers(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ports)


@dataclass(frozen=True)
class Plan:
    """``open`` and ``close``: ports to add a rule for and to remove it. ``blocked``: wanted ones that others deny or restrict."""

    open: tuple[int, ...]
    close: tuple[int, ...]
    blocked: tuple[int, ...]


def parse(added: str) -> list[Rule]:
    """The rules with port numbers in the output of ``ufw show added``, a command a line. Pure.

    An application profile, another protocol, outgoing and forwarded traffic are none of ours.
    """
    rules = []
    for line in added.splitlines():
        words = shlex.split(line) if line.startswith("ufw ") else []
        comment = ""
        if "comment" in words[:-1]:
            place = words.index("comment")
            words, comment = words[:place], words[place + 1]
        if len(words) < 3 or words[1] not in ("allow", "limit", "deny", "reject") or "out" in words or "udp" in words:
            continue
        words = [word for word in words[1:] if word not in ("in", "log", "log-all")]
        short = re.fullmatch(r"(\d[\d,:]*)(?:/tcp)?", words[1])
        # In full: from SOURCE to ADDRESS port 80,443 proto tcp
        full = re.search(r"to \S+ port (\d[\d,:]*)", " ".join(words))
        found = short or full
        if found:
            anybody = len(words) == 2 or "from any to any" in " ".join(words)
            rules.append(Rule(words[0], _ranges(found[1]), anybody and "on" not in words, comment))
    return rules


def _ranges(ports: str) -> tuple[tuple[int, int], ...]:
    parts = (part.partition(":") for part in ports.split(","))
    return tuple((int(first), int(last or first)) for first, _colon, last in parts)


def plan(rules: Sequence[Rule], ports: Sequence[int], comment: str) -> Plan:
    """What to do so that the ports are open and those with our comment that are no longer wanted are not. Pure.

    ufw has one rule for a port and a protocol: to allow a port that somebody denied would take that rule's place, and to
    allow one that somebody allowed would put our comment on it. Whoever allowed it for some sources meant no others.
    """
    own = {rule.ports[0][0] for rule in rules if rule.comment == comment}
    opening, blocked = [], []
    for port in sorted(set(ports)):
        # The first rule that fits decides (ufw(8)).
        about = [rule for rule in rules if rule.covers(port)]
        first = next((rule for rule in about if rule.anybody), None)
        if not about:
            opening.append(port)
        elif first is None or first.action in ("deny", "reject"):
            blocked.append(port)
    return Plan(tuple(opening), tuple(sorted(own - set(ports))), tuple(blocked))


def inactive() -> str | None:
    """Why there is nothing to do, None if ufw is active."""
    status = run(["ufw", "status"])
    if status.code == 127:
        return "ufw is not installed"
    if "Status: inactive" in status.output:
        return "ufw is not active"
    if status.code != 0 or "Status: active" not in status.output:
        raise FirewallError(f"'ufw status' failed: {status.last_line}.")
    return None


def rules() -> list[Rule]:
    """The rules that somebody added, in the order in which they apply."""
    return parse(_done(["ufw", "show", "added"]))


def carry_out(plan: Plan, comment: str) -> None:
    """Add and delete rules; those to add come first."""
    for port in plan.open:
        _done(["ufw", "allow", f"{port}/tcp", "comment", comment])
    for port in plan.close:
        _done(["ufw", "delete", "allow", f"{port}/tcp"])


def _done(argv: list[str]) -> str:
    ended = run(argv, timeout=60)
    if ended.code != 0:
        raise FirewallError(f"'{shlex.join(argv)}' failed: {ended.last_line}.")
    return ended.output
