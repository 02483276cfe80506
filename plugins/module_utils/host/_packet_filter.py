# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host's packet filter does with a new TCP connection from somebody out there: nftables and iptables.

Only what is certain counts. A rule that depends on the sender's address, on a rate, or on what is not understood here may match.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

TIMEOUT = 20  # seconds
DEPTH = 20
"""How deep chains call one another at most."""

ACCEPT, DROP, MAYBE = "accept", "drop", "maybe"

FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6)}


@dataclass(frozen=True)
class Rule:
    """A rule, as far as it concerns a new connection to a TCP port from outside.

    :ivar matches: True, False, or None if it depends on something else
    :ivar verdict: ``accept``, ``drop``, ``return``, ``jump CHAIN``, ``goto CHAIN``, or "" if it decides nothing
    :ivar text: the rule as it is written
    """

    matches: bool | None
    verdict: str
    text: str = ""


@dataclass(frozen=True)
class Chain:
    """A chain of the packet filter.

    :ivar policy: of a base chain for incoming packets; "" of any other one
    """

    rules: tuple[Rule, ...] = ()
    policy: str = ""
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """What happens to a connection.

    :ivar result: ``accept``, ``drop`` or ``maybe``
    :ivar text: the rule or policy that decides
    """

    result: str
    text: str = ""


@dataclass(frozen=True)
class Rulesets:
    """What the kernel filters by, as its tools print it.

    :ivar nft: the output of ``nft --json list ruleset``
    :ivar saved: by version of IP, the outputs of ``iptables-save``
    """

    nft: str = ""
    saved: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def read() -> Rulesets:
    """Read the rules. It loads no kernel module: where there is none there are no rules."""
    nft, saved = "", {}
    modern = os.path.exists("/sys/module/nf_tables")
    if modern:
        nft = run(["nft", "--json", "list", "ruleset"], timeout=TIMEOUT).output
    for version, prefix in ((4, "ip"), (6, "ip6")):
        tools = ["tables-nft-save"] if modern else []
        try:
            with open(f"/proc/net/{prefix}_tables_names", encoding="ascii") as stream:
                tools += ["tables-legacy-save"] if "filter" in stream.read().split() else []
        except OSError:
            pass
        outputs = [run([f"{prefix}{tool}", "-t", "filter"], timeout=TIMEOUT) for tool in tools]
        saved[version] = tuple(done.output for done in outputs if done.code == 0)
    return Rulesets(nft, saved)


def blocked(found: Rulesets, port: int, version: int) -> str:
    """The rule that stops everybody's connections to a port, "" if there is none. Pure.

    :param version: 4 or 6, of IP
    """
    outcomes = [decide(chains, name) for chains in nftables(found.nft, port, version) for name in chains if chains[name].policy]
    for output in found.saved.get(version, ()):
        chains = iptables(output, port)
        outcomes += [decide(chains, "INPUT")] if "INPUT" in chains else []
    return next((outcome.text for outcome in outcomes if outcome.result == DROP), "")


def decide(chains: Mapping[str, Chain], name: str) -> Outcome:
    """What a base chain does. Pure."""
    outcome = _through(chains, name, 0)
    chain = chains[name]
    return outcome or Outcome(DROP if chain.policy == DROP else ACCEPT, chain.text)


def _through(chains: Mapping[str, Chain], name: str, depth: int) -> Outcome | None:
    """:returns: None if the chain decides nothing"""
    doubt = False
    for rule in chains[name].rules if name in chains and depth < DEPTH else ():
        if rule.matches is False or not rule.verdict:
            continue
        verb, _blank, target = rule.verdict.partition(" ")
        if verb == "return":
            if rule.matches:
                break
            doubt = True
            continue
        below = _through(chains, target, depth + 1) if target else Outcome(verb, rule.text)
        if below is None and verb == "goto" and rule.matches:
            break
        if below is None:
            continue
        if below.result == MAYBE or (rule.matches is None and below.result == ACCEPT):
            return Outcome(MAYBE, below.text)
        if rule.matches is None:  # some are stopped here: not everybody
            continue
        return Outcome(MAYBE if doubt else below.result, below.text)
    return Outcome(MAYBE) if doubt and not chains[name].policy else None


def nftables(output: str, port: int, version: int) -> list[dict[str, Chain]]:
    """The chains of each table, from ``nft --json list ruleset``. Pure."""
    try:
        text = next((line for line in output.splitlines() if line.startswith("{")), "")  # there may be warnings before
        entries = [entry for entry in json.loads(text)["nftables"] if isinstance(entry, dict)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    tables: dict[tuple[str, str], dict[str, Chain]] = {}
    sets = {
        (each["family"], each["table"], f"@{each['name']}"): each.get("elem", [])
        for each in (entry["set"] for entry in entries if "set" in entry)
        if not {"dynamic", "timeout"} & set(each.get("flags", ()))
    }
    for entry in entries:
        chain, rule = entry.get("chain"), entry.get("rule")
        if chain and version in FAMILIES.get(chain["family"], ()):
            base = chain.get("hook") == "input" and chain.get("type") == "filter"
            text = f"chain {chain['family']} {chain['table']} {chain['name']}: policy {chain.get('policy', ACCEPT)}"
            policy = chain.get("policy", ACCEPT) if base else ""
            tables.setdefault((chain["family"], chain["table"]), {})[chain["name"]] = Chain((), policy, text)
        elif rule and version in FAMILIES.get(rule["family"], ()):
            chains = tables.setdefault((rule["family"], rule["table"]), {})
            known = chains.get(rule["chain"], Chain())
            where = f"rule {rule.get('handle')} of chain {rule['family']} {rule['table']} {rule['chain']}"
            named = {key[2]: elements for key, elements in sets.items() if key[:2] == (rule["family"], rule["table"])}
            expressions = [_with_sets(each, named) for each in rule.get("expr", [])]
            chains[rule["chain"]] = replace(known, rules=(*known.rules, *_nft_rules(expressions, port, where)))
    return list(tables.values())


def _with_sets(expression: Mapping[str, Any], named: Mapping[str, list[Any]]) -> Mapping[str, Any]:
    """An expression with a named set replaced by its elements."""
    match = expression.get("match")
    if not isinstance(match, dict) or not isinstance(match.get("right"), str) or match["right"] not in named:
        return expression
    elements = [each["elem"].get("val") if isinstance(each, dict) and "elem" in each else each for each in named[match["right"]]]
    return {"match": {**match, "right": {"set": elements}}}


def _nft_rules(expressions: Sequence[Mapping[str, Any]], port: int, where: str) -> list[Rule]:
    matches: list[bool | None] = [True]
    verdict = ""
    for expression in expressions:
        for kind, value in expression.items():
            if kind == "match":
                matches.append(_nft_match(value, port))
            elif kind == "vmap":
                pairs = value["data"]["set"] if isinstance(value.get("data"), dict) else []
                cases = [(_nft_match({"left": value["key"], "right": pair[0], "op": "=="}, port), pair[1]) for pair in pairs]
                known = [Rule(_all([*matches, match]), _nft_verdict(decided), where) for match, decided in cases]
                return known or [Rule(None, ACCEPT, where)]
            elif _nft_verdict({kind: value}):
                verdict = _nft_verdict({kind: value})
            elif kind not in ("counter", "log", "comment"):
                matches.append(None)
    return [Rule(_all(matches), verdict, where)]


def _all(matches: Sequence[bool | None]) -> bool | None:
    return False if False in matches else None if None in matches else True


def _nft_verdict(expression: Mapping[str, Any]) -> str:
    kind, value = next(iter(expression.items()))
    if kind in ("jump", "goto"):
        return f"{kind} {value['target']}"
    return {"accept": ACCEPT, "drop": DROP, "reject": DROP, "return": "return"}.get(kind, "")


def _nft_match(value: Mapping[str, Any], port: int) -> bool | None:
    left, right, operator = value.get("left"), value.get("right"), value.get("op")
    found: bool | None = None
    subject = left if isinstance(left, dict) else {}
    if subject.get("payload") in ({"protocol": "tcp", "field": "dport"}, {"protocol": "th", "field": "dport"}):
        found = _holds(right, port)
    elif subject.get("payload", {}).get("protocol") in ("udp", "icmp", "icmpv6"):
        found = False
    elif subject.get("meta", {}).get("key") == "l4proto" or subject.get("payload", {}).get("field") in ("protocol", "nexthdr"):
        found = _holds(right, "tcp")
    elif "ct" in subject and subject["ct"].get("key") == "state":
        found = _holds(right, "new")
        operator = "==" if operator == "in" else operator
    elif subject.get("meta", {}).get("key") in ("iifname", "iif") and right == "lo":
        found = False
    if found is None or operator not in ("==", "!=", "in"):
        return None
    return not found if operator == "!=" else found


def _holds(right: Any, wanted: int | str) -> bool | None:
    """Whether a value, a list, a range or a set of them contains something; None if that is not known."""
    if isinstance(right, list):
        found = [_holds(each, wanted) for each in right]
        return True if True in found else None if None in found else False
    if isinstance(right, dict) and "set" in right:
        return _holds(right["set"], wanted)
    if isinstance(right, dict) and isinstance(wanted, int) and "range" in right:
        first, last = right["range"]
        return first <= wanted <= last if isinstance(first, int) and isinstance(last, int) else None
    if isinstance(right, (int, str)) and not str(right).startswith("@"):
        return right == wanted
    return None


def iptables(output: str, port: int) -> dict[str, Chain]:
    """The chains of the table ``filter``, from ``iptables-save``. Pure."""
    chains: dict[str, Chain] = {}
    for line in output.splitlines():
        header = re.match(r":(\S+) (ACCEPT|DROP|-)", line)
        if header:
            policy = {"ACCEPT": ACCEPT, "DROP": DROP}.get(header[2], "") if header[1] == "INPUT" else ""
            chains[header[1]] = Chain((), policy, f"iptables -P {header[1]} {header[2]}")
        elif line.startswith("-A "):
            words = shlex.split(line)
            known = chains.get(words[1], Chain())
            chains[words[1]] = replace(known, rules=(*known.rules, _iptables_rule(words[2:], port, f"iptables {line}")))
    return chains


def _iptables_rule(words: Iterable[str], port: int, text: str) -> Rule:
    waiting, verdict, negated = list(words), "", False
    matches: list[bool | None] = [True]
    while waiting:
        word = waiting.pop(0)
        if word == "!":
            negated = True
            continue
        value = waiting[0] if waiting else ""
        found: bool | None = None
        if word in ("-j", "-g"):
            verb = {"ACCEPT": ACCEPT, "DROP": DROP, "REJECT": DROP, "RETURN": "return", "LOG": "", "MARK": ""}
            verdict = verb[value] if value in verb else f"{'goto' if word == '-g' else 'jump'} {value}"
            break
        if word in ("-p", "--protocol"):
            found = value in ("tcp", "all")
        elif word in ("--dport", "--dports", "--destination-port"):
            found = _in_ports(value, port)
        elif word in ("--state", "--ctstate"):
            found = "NEW" in value.split(",")
        elif word in ("-i", "--in-interface"):
            found = False if value == "lo" else None
        elif word == "--dst-type":
            found = value == "LOCAL"
        elif word in ("-m", "--match"):
            found = value in ("tcp", "state", "conntrack", "multiport", "comment", "addrtype") or None
        elif word == "--comment":
            found = True
        if waiting and not value.startswith(("-", "!")):
            waiting.pop(0)
        matches.append(found if found is None or not negated else not found)
        negated = False
    return Rule(_all(matches), verdict, text)


def _in_ports(text: str, port: int) -> bool:
    ranges = (part.partition(":") for part in text.split(","))
    return any(
        first.isdigit() and int(first) <= port <= int(last or first)
        for first, _colon, last in ranges
        if (last or first).isdigit()
    )
