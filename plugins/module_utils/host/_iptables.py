# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The rules of iptables, as they apply to one connection: the only reader of iptables-save(8).

With nftables in the kernel ``nft`` shows them too, but not what their extensions match.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.wsgi.stack.plugins.module_utils.host import _filter_chains, _nftables, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Answer, Chain, Connection, FilterRule, Verdict

TIMEOUT = 15  # seconds
TOOLS = {4: "iptables", 6: "ip6tables"}
HOOKS = {"INPUT": "input", "OUTPUT": "output"}
VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}

ADDING = frozenset({"LOG", "NFLOG", "MARK", "CONNMARK", "TRACE", "AUDIT", "SECMARK", "CT", "SET", "TCPMSS"})
"""Targets that decide nothing."""

WITHOUT_CONDITION = ("-m", "--match", "--comment", "--limit", "--limit-burst")
"""Options with a value that exclude no first connection."""

SYN = (["FIN,SYN,RST,ACK", "SYN"], ["SYN", "SYN"])


def saved() -> dict[int, tuple[str, ...]]:
    """The rules by version of IP: those in nftables, and those of before it. It creates no table, and loads no module."""
    found = {}
    for version, tool in TOOLS.items():
        tables = (_untrusted.text_or_none(f"/proc/net/{tool.replace('tables', '_tables')}_names") or "").split()
        variants = [*(["nft"] if _nftables.loaded() else []), *(["legacy"] if "filter" in tables else [])]
        done = [run([f"{tool}-{variant}-save", "-t", "filter"], timeout=TIMEOUT) for variant in variants]
        found[version] = tuple(each.output for each in done if each.code == 0)
    return found


def chains(text: str, connection: Connection) -> dict[tuple[str, str, str], Chain]:
    """The chains of the table ``filter``, by tool, table and name. Pure.

    :param text: what iptables-save prints
    """
    tool = TOOLS[connection.version]
    found: dict[tuple[str, str, str], Chain] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table == "filter" and line.startswith(":"):
            name, policy = [*line[1:].split(), ""][:2]
            found[tool, table, name] = Chain(name, table, tool, HOOKS.get(name, ""), VERDICTS.get(policy, "accept"))
        elif table == "filter" and line.startswith("-A "):
            words = _words(line)
            chain = found.get((tool, table, words[1])) if len(words) > 1 else None
            if chain:
                chain.rules.append(_RuleReader(connection).rule(words[2:]))
    return found


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


@dataclass
class _RuleReader:
    connection: Connection
    conditions: list[Answer] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    def rule(self, words: Sequence[str]) -> FilterRule:
        waiting, negated = list(words), False
        while waiting:
            word = waiting.pop(0)
            if word == "!":
                negated = True
                continue
            values = []
            while waiting and not waiting[0].startswith("-") and waiting[0] != "!":
                values.append(waiting.pop(0))
            if word in ("-j", "--jump", "-g", "--goto"):
                self._decide("goto" if word in ("-g", "--goto") else "jump", values[0] if values else "")
                break  # what follows are options of the target
            answer = self._answer(word, values)
            self.conditions.append(_filter_chains.negated(answer) if negated else answer)
            negated = False
        return FilterRule(_filter_chains.both(self.conditions), (self.verdict,))

    def _decide(self, how: str, target: str) -> None:
        if target in VERDICTS:
            self.verdict = Verdict(VERDICTS[target])
        elif target not in ADDING:
            self.verdict = Verdict(how, target)

    def _answer(self, option: str, values: Sequence[str]) -> Answer:
        wanted, value = self.connection, values[0] if values else ""
        if option in WITHOUT_CONDITION or (option in ("-p", "--protocol") and value == "all"):
            return True
        if option in ("-p", "--protocol"):
            return value in ("tcp", "6")
        if option in ("-s", "--source"):
            return _filter_chains.is_in(wanted.source, value)
        if option in ("-d", "--destination"):
            return _filter_chains.is_in(wanted.destination, value)
        if option in ("-i", "-o"):
            name = wanted.incoming if option == "-i" else wanted.outgoing
            return _filter_chains.is_interface(name, value, "+") if name else False
        if option in ("--dport", "--dports", "--destination-port", "--destination-ports"):
            return _ports(wanted.port, value)
        if option in ("--ctstate", "--state"):
            return "NEW" in value.split(",")
        if option == "--dst-type":
            return value == "LOCAL"
        if option == "--uid-owner":
            return wanted.uid == int(value) if value.isdigit() and wanted.uid >= 0 else None
        if option in ("--tcp-flags", "--syn"):
            return True if option == "--syn" or list(values) in SYN else None
        return None


def _ports(port: int, value: str) -> Answer:
    if not re.fullmatch(r"\d+(:\d+)?(,\d+(:\d+)?)*", value):
        return None
    ranges = (part.partition(":") for part in value.split(","))
    return any(int(first) <= port <= int(last or first) for first, _colon, last in ranges)
