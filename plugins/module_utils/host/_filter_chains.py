# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a packet filter does with a new TCP connection. Pure.

A rule that cannot be understood may match or not, so there can be several outcomes. Only what happens in each of them is certain.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Optional, Union

ACCEPT, DROP, REJECT, RETURN, CONTINUE = "accept", "drop", "reject", "return", "continue"
REFUSING = (DROP, REJECT)
DEPTH = 32
"""Chains that are entered from one another at most; the kernel allows 16, see NFT_JUMP_STACK_SIZE."""

Answer = Optional[bool]
"""Whether something is so, None if that is unknown."""

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class Connection:
    """The first packet of a TCP connection.

    :ivar hooks: the hooks that it passes, see nft(8)
    :ivar source: its IP address, "" for any; ``destination``: likewise
    :ivar incoming: the interface that it comes in by, ``outgoing`` that it leaves by; "" if there is none
    :ivar uid: the user who connects, -1 if that is no user of this host
    """

    port: int
    hooks: tuple[str, ...] = ("prerouting", "input")
    version: int = 4
    source: str = ""
    destination: str = ""
    incoming: str = ""
    outgoing: str = ""
    uid: int = -1


@dataclass(frozen=True)
class Verdict:
    """What a rule does.

    :ivar kind: ``accept``, ``drop``, ``reject``, ``return``, ``continue``, or ``jump`` and ``goto`` with a ``target``
    """

    kind: str = CONTINUE
    target: str = ""


@dataclass(frozen=True)
class FilterRule:
    """A rule of a chain, as it applies to one connection.

    :ivar matches: whether it matches
    :ivar verdicts: what it may do then: more than one if that depends on what is unknown
    """

    matches: Answer
    verdicts: tuple[Verdict, ...]


@dataclass
class Chain:
    """A chain of rules.

    :ivar table: the table that it is in, as its tool names it: ``inet filter``; ``filter`` of iptables
    :ivar tool: ``nft``, ``iptables`` or ``ip6tables``
    :ivar hook: the hook that it is attached to, "" if it is only jumped to
    :ivar policy: what it does with what no rule decides
    """

    name: str
    table: str
    tool: str
    hook: str = ""
    policy: str = ACCEPT
    rules: list[FilterRule] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The chain in words."""
        return f"the chain {self.name} of the table {self.table} ({self.tool})"


Chains = Mapping[tuple[str, str, str], Chain]
"""Chains by tool, table and name."""


def refusing(chains: Chains, connection: Connection) -> Chain | None:
    """The chain that certainly refuses a connection, None if it may get through."""
    for chain in chains.values():
        if chain.hook in connection.hooks:
            outcomes = _outcomes(chain, chains, {}, 0)
            if {chain.policy if kind == RETURN else kind for kind in outcomes} <= set(REFUSING):
                return chain
    return None


def lets_in(chains: Chains, connection: Connection) -> bool:
    """Whether a connection may get through all chains."""
    return refusing(chains, connection) is None


def _outcomes(chain: Chain, chains: Chains, known: dict[str, set[str]], depth: int) -> set[str]:
    """How a chain may end: with a verdict, or with ``return`` to where it was jumped to from."""
    if chain.name in known:
        return known[chain.name]
    found: set[str] = set()
    known[chain.name] = {RETURN}  # of a circle, which the kernel refuses
    for rule in chain.rules:
        if rule.matches is False:
            continue
        effects = set()
        for verdict in rule.verdicts:
            effects |= _effects(verdict, chain, chains, known, depth)
        found |= effects - {CONTINUE}
        if rule.matches and CONTINUE not in effects:
            break
    else:
        found.add(RETURN)
    known[chain.name] = found
    return found


def _effects(verdict: Verdict, chain: Chain, chains: Chains, known: dict[str, set[str]], depth: int) -> set[str]:
    if verdict.kind not in ("jump", "goto"):
        return {verdict.kind}
    target = chains.get((chain.tool, chain.table, verdict.target))
    inner = _outcomes(target, chains, known, depth + 1) if target and depth < DEPTH else {ACCEPT, RETURN}
    if verdict.kind == "goto":
        return inner
    return {CONTINUE if kind == RETURN else kind for kind in inner}


def both(answers: Iterable[Answer]) -> Answer:
    """Whether all conditions hold."""
    answers = list(answers)
    return False if False in answers else None if None in answers else True


def negated(answer: Answer) -> Answer:
    """The contrary of an answer."""
    return None if answer is None else not answer


def is_in(address: str, network: str) -> Answer:
    """Whether an IP address is in a network.

    :param address: "" for any
    """
    try:
        wide: Network = ipaddress.ip_network(network, strict=False)
        if wide.prefixlen == 0:
            return True
        return ipaddress.ip_address(address) in wide if address else None
    except ValueError:
        return None


def is_interface(name: str, pattern: str, wildcard: str) -> Answer:
    """Whether an interface is meant by the name in a rule.

    :param wildcard: the character at the end that stands for the rest of the name
    """
    if not name:
        return None
    return name.startswith(pattern[:-1]) if pattern.endswith(wildcard) else name == pattern
