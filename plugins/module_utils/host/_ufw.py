# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""TCP ports that ufw, the firewall of Debian and Ubuntu, has open."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run


@dataclass(frozen=True)
class Rule:
    """A rule for incoming TCP connections.

    :ivar action: ``allow``, ``limit``, ``deny`` or ``reject``
    :ivar ports: ranges, with first and last port included
    :ivar anybody: it holds for every source and every address of the host
    """

    action: str
    ports: tuple[tuple[int, int], ...]
    anybody: bool = True
    comment: str = ""

    def covers(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ports)


@dataclass(frozen=True)
class FirewallPlan:
    """What to change.

    :ivar open: ports to add a rule for
    :ivar close: ports whose rule is to be removed
    :ivar blocked: wanted ports that another rule denies, or restricts to some sources
    """

    open: tuple[int, ...]
    close: tuple[int, ...]
    blocked: tuple[int, ...]


def parse(added: str) -> list[Rule]:
    """The rules with port numbers in the output of ``ufw show added``, which has one command a line. Pure.

    Application profiles, other protocols, and outgoing or forwarded traffic are passed over.
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


def plan(rules: Sequence[Rule], ports: Sequence[int], comment: str) -> FirewallPlan:
    """What to do so that some ports are open, and those with our comment that are no longer wanted are closed. Pure.

    ufw has one rule for each port and protocol. To allow a port that is denied would replace that rule, and to allow one
    that is allowed already would put our comment on it. A port that is open to some sources only is meant to be.
    """
    own = {rule.ports[0][0] for rule in rules if rule.comment == comment}
    opening, blocked = [], []
    for port in sorted(set(ports)):
        # The first rule that matches decides, see ufw(8).
        about = [rule for rule in rules if rule.covers(port)]
        first = next((rule for rule in about if rule.anybody), None)
        if not about:
            opening.append(port)
        elif first is None or first.action in ("deny", "reject"):
            blocked.append(port)
    return FirewallPlan(tuple(opening), tuple(sorted(own - set(ports))), tuple(blocked))


def installed() -> bool:
    """Whether the host has ufw, be it active or not."""
    return run(["ufw", "version"]).code != 127


def inactive() -> str | None:
    """Why there is nothing to do; None if ufw is active.

    :raises StackError: ``ufw status`` fails
    """
    status = run(["ufw", "status"])
    if status.code == 127:
        return "ufw is not installed"
    if "Status: inactive" in status.output:
        return "ufw is not active"
    if status.code != 0 or "Status: active" not in status.output:
        raise StackError("firewall", f"'ufw status' failed: {status.last_line}.", status.output)
    return None


def rules() -> list[Rule]:
    """The rules that were added, in the order in which they apply."""
    return parse(_done(["ufw", "show", "added"]))


def carry_out(plan: FirewallPlan, comment: str) -> None:
    """Add rules, then delete rules.

    :raises StackError: ufw fails
    """
    for port in plan.open:
        _done(["ufw", "allow", f"{port}/tcp", "comment", comment])
    for port in plan.close:
        _done(["ufw", "delete", "allow", f"{port}/tcp"])


def _done(argv: list[str]) -> str:
    ended = run(argv, timeout=60)
    if ended.code != 0:
        raise StackError("firewall", f"'{shlex.join(argv)}' failed: {ended.last_line}.", ended.output)
    return ended.output
