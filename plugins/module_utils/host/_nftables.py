# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The rules of nftables, as they apply to one connection: the only reader of nft(8). See libnftables-json(5)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host import _filter_chains
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Answer, Chain, Connection, FilterRule, Verdict

TIMEOUT = 15  # seconds
VERDICTS = ("accept", "drop", "reject", "return", "continue", "jump", "goto")
HARMLESS = ("counter", "log", "quota", "comment", "notrack", "mangle", "meta set", "ct set", "limit")
"""Statements that decide nothing; ``limit`` matches as long as there are few connections."""

FAMILIES = {4: ("ip", "inet"), 6: ("ip6", "inet")}


def loaded() -> bool:
    """Whether the kernel has nftables. If not, asking it for rules would load a module."""
    return os.path.exists("/sys/module/nf_tables") or not os.path.exists("/proc/modules")


def ruleset() -> str:
    """All rules as JSON, "" without nftables."""
    if not loaded():
        return ""
    done = run(["nft", "--json", "list", "ruleset"], timeout=TIMEOUT)
    return done.output if done.code == 0 else ""


def chains(text: str, connection: Connection) -> dict[tuple[str, str, str], Chain]:
    """The chains that a connection may pass. Pure.

    :param text: see ``ruleset``
    """
    found: dict[tuple[str, str, str], Chain] = {}
    sets: dict[tuple[str, str], list[Any]] = {}
    entries = [entry for entry in _entries(text) if isinstance(entry, dict)]
    for entry in entries:
        for kind in ("set", "map"):
            each = entry.get(kind)
            if isinstance(each, dict):
                changing = {"dynamic", "timeout"} & set(each.get("flags") or ())
                sets[_table(each), str(each.get("name"))] = [None] if changing else each.get("elem", [])
        each = entry.get("chain")
        if isinstance(each, dict) and each.get("family") in FAMILIES[connection.version]:
            filters = each.get("type", "filter") == "filter"
            chain = Chain(str(each.get("name")), _table(each), "nft", str(each.get("hook", "")) if filters else "-")
            chain.policy = str(each.get("policy", "accept"))
            found["nft", chain.table, chain.name] = chain
    for entry in entries:
        each = entry.get("rule")
        chain_of = found.get(("nft", _table(each), str(each.get("chain")))) if isinstance(each, dict) else None
        if chain_of and isinstance(each, dict):
            chain_of.rules.append(_RuleReader(connection, sets, chain_of.table).rule(each.get("expr", [])))
    return found


def _entries(text: str) -> list[Any]:
    start = text.find('{"nftables"')  # warnings may stand before it
    try:
        entries = json.JSONDecoder().raw_decode(text, start)[0]["nftables"] if start >= 0 else []
    except (ValueError, RecursionError):
        return []
    return entries if isinstance(entries, list) else []


def _table(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('family')} {entry.get('table')}"


@dataclass
class _RuleReader:
    connection: Connection
    sets: Mapping[tuple[str, str], list[Any]]
    table: str
    conditions: list[Answer] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def rule(self, expressions: Any) -> FilterRule:
        for expression in expressions if isinstance(expressions, list) else []:
            for name, value in expression.items() if isinstance(expression, dict) else []:
                self._statement(name, value)
        return FilterRule(_filter_chains.both(self.conditions), tuple(self.verdicts) or (Verdict(),))

    def _statement(self, name: str, value: Any) -> None:
        if name == "match" and isinstance(value, dict):
            self.conditions.append(self._match(value))
        elif name in VERDICTS:
            self.verdicts.append(_verdict(name, value))
        elif name == "vmap" and isinstance(value, dict):
            self._map(value)
        elif name == "limit" and isinstance(value, dict) and value.get("inv"):
            self.conditions.append(False)
        elif name == "xt":  # of iptables, which tells more of it
            self.conditions.append(None)
            self.verdicts += [Verdict("accept"), Verdict("drop"), Verdict("return")]
        elif name not in HARMLESS:
            self.conditions.append(None)

    def _map(self, value: Mapping[str, Any]) -> None:
        """A verdict map: the verdict of the element that matches; nothing if none does."""
        default = True
        for element in self._elements(value.get("data")):
            if not isinstance(element, list) or len(element) != 2 or not isinstance(element[1], dict):
                continue
            matches = self._equals(value.get("key"), element[0])
            if matches is not False:
                self.verdicts += [_verdict(name, inner) for name, inner in element[1].items() if name in VERDICTS]
            if matches:
                default = False
                break
        if default:
            self.verdicts.append(Verdict())

    def _match(self, value: Mapping[str, Any]) -> Answer:
        operator, left, right = value.get("op"), value.get("left"), value.get("right")
        if operator in ("==", "in"):
            return self._equals(left, right)
        if operator == "!=":
            return _filter_chains.negated(self._equals(left, right))
        return None

    def _equals(self, left: Any, right: Any) -> Answer:
        """Whether a property of the connection has a value, or one of several."""
        several = isinstance(right, list) or (isinstance(right, dict) and "set" in right)
        if several or (isinstance(right, str) and right.startswith("@")):
            answers = [self._equals(left, element) for element in (right if isinstance(right, list) else self._elements(right))]
            return True if True in answers else None if None in answers else False
        if isinstance(right, dict) and "elem" in right:  # with a timeout or a comment
            return self._equals(left, right["elem"].get("val") if isinstance(right["elem"], dict) else None)
        if not isinstance(left, dict) or len(left) != 1:
            return None
        ((kind, inner),) = left.items()
        inner = inner if isinstance(inner, dict) else {}
        if kind == "payload":
            return self._payload(str(inner.get("protocol")), str(inner.get("field")), right)
        if kind == "meta":
            return self._meta(str(inner.get("key")), right)
        if kind == "ct":
            return _conntrack(str(inner.get("key")), right)
        if kind == "fib" and inner.get("result") == "type" and "daddr" in str(inner.get("flags")):
            return right == "local"
        return None

    def _payload(self, protocol: str, name: str, right: Any) -> Answer:
        wanted = self.connection
        if protocol in ("ip", "ip6") and protocol not in FAMILIES[wanted.version]:
            return False
        if protocol in ("tcp", "th"):
            return _number(wanted.port, right) if name == "dport" else None
        if protocol in ("udp", "icmp", "icmpv6", "udplite", "sctp", "dccp"):
            return False
        if name in ("protocol", "nexthdr"):
            return right in ("tcp", 6)
        if name in ("saddr", "daddr"):
            address = wanted.source if name == "saddr" else wanted.destination
            if isinstance(right, dict) and isinstance(right.get("prefix"), dict):
                right = f"{right['prefix'].get('addr')}/{right['prefix'].get('len')}"
            return _filter_chains.is_in(address, right) if isinstance(right, str) else None
        return None

    def _meta(self, key: str, right: Any) -> Answer:
        wanted = self.connection
        if key in ("iif", "iifname"):
            return _filter_chains.is_interface(wanted.incoming, str(right), "*") if wanted.incoming else False
        if key in ("oif", "oifname"):
            return _filter_chains.is_interface(wanted.outgoing, str(right), "*") if wanted.outgoing else False
        if key == "l4proto":
            return right in ("tcp", 6)
        if key in ("nfproto", "protocol"):
            return str(right) in (("ipv4", "ip") if wanted.version == 4 else ("ipv6", "ip6"))
        if key == "skuid":
            return _number(wanted.uid, right) if wanted.uid >= 0 else None
        return None

    def _elements(self, value: Any) -> list[Any]:
        """The elements of a set, which is written out or named."""
        if isinstance(value, str) and value.startswith("@"):
            value = self.sets.get((self.table, value[1:]), [None])
        elif isinstance(value, dict):
            value = value.get("set", [None])
        return value if isinstance(value, list) else [value]


def _verdict(name: str, value: Any) -> Verdict:
    target = str(value.get("target", "")) if isinstance(value, dict) else ""
    return Verdict(name, target if name in ("jump", "goto") else "")


def _conntrack(key: str, right: Any) -> Answer:
    if key == "state":
        return right == "new"
    return right == "original" if key == "direction" else None


def _number(value: int, right: Any) -> Answer:
    if isinstance(right, dict) and isinstance(right.get("range"), list) and len(right["range"]) == 2:
        first, last = right["range"]
        return first <= value <= last if isinstance(first, int) and isinstance(last, int) else None
    return value == right if isinstance(right, int) else None
