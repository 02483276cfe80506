# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _filter_chains, _nftables
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Connection

STRANGER = Connection(80, incoming="eth0", source="198.51.100.7")
ACCEPT = {"accept": None}
DROP = {"drop": None}


def left(kind, **keys):
    return {kind: keys}


def match(subject, right, op="=="):
    return {"match": {"op": op, "left": subject, "right": right}}


PORT = left("payload", protocol="tcp", field="dport")
SOURCE = left("payload", protocol="ip", field="saddr")
INTERFACE = left("meta", key="iifname")
STATE = left("ct", key="state")


def ruleset(*rules, policy="drop", family="inet", extra=()):
    place = {"family": family, "table": "filter"}
    base = {**place, "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": policy}
    entries = [{"metainfo": {"json_schema_version": 1}}, {"table": {"family": family, "name": "filter"}}, {"chain": base}, *extra]
    entries += [{"rule": {**place, "chain": "input", "handle": 1, "expr": expressions}} for expressions in rules]
    return "# Warning: table ip nat is managed by iptables-nft, do not touch!\n" + json.dumps({"nftables": entries})


def refused(text, connection=STRANGER):
    return _filter_chains.refusing(_nftables.chains(text, connection), connection) is not None


@pytest.mark.parametrize(
    ("expressions", "closed"),
    [
        ([ACCEPT], False),
        ([match(PORT, 80), {"counter": {"packets": 1, "bytes": 2}}, ACCEPT], False),
        ([match(PORT, 443), ACCEPT], True),
        ([match(PORT, {"set": [22, 80]}), ACCEPT], False),
        ([match(PORT, {"set": [22, {"range": [79, 81]}]}), ACCEPT], False),
        ([match(PORT, {"range": [100, 200]}), ACCEPT], True),
        ([match(PORT, 80, "!="), ACCEPT], True),
        ([match(PORT, "@web"), ACCEPT], False),
        ([match(PORT, "@unknown"), ACCEPT], False),
        ([match(SOURCE, "@knocked"), ACCEPT], False),
        ([match(SOURCE, "@nobody"), ACCEPT], True),
        ([match(left("payload", protocol="udp", field="dport"), 80), ACCEPT], True),
        ([match(STATE, ["established", "related"], "in"), ACCEPT], True),
        ([match(STATE, {"set": ["established", "new"]}), ACCEPT], False),
        ([match(INTERFACE, "lo"), ACCEPT], True),
        ([match(INTERFACE, "eth*"), ACCEPT], False),
        ([match(left("meta", key="oifname"), "eth0"), ACCEPT], True),
        ([match(left("meta", key="nfproto"), "ipv6"), ACCEPT], True),
        ([match(left("meta", key="l4proto"), {"set": ["tcp", "udp"]}), ACCEPT], False),
        ([match(SOURCE, {"prefix": {"addr": "10.0.0.0", "len": 8}}), ACCEPT], True),
        ([match(left("payload", protocol="ip6", field="saddr"), "::1"), ACCEPT], True),
        ([match(left("fib", result="type", flags=["daddr"]), "local"), ACCEPT], False),
        ([match({"&": [1, 2]}, 3), ACCEPT], False),
        ([{"xt": {"type": "match", "name": "recent"}}], False),
        ([{"limit": {"rate": 5, "per": "second"}}, ACCEPT], False),
        ([{"limit": {"rate": 5, "per": "second", "inv": True}}, ACCEPT], True),
        ([{"vmap": {"key": STATE, "data": {"set": [["established", ACCEPT], ["invalid", DROP]]}}}], True),
        ([{"vmap": {"key": PORT, "data": {"set": [[80, ACCEPT], [81, DROP]]}}}], False),
        ([{"jump": {"target": "web"}}], False),
        ([match(PORT, 80), {"nonsense": []}, ACCEPT], False),
    ],
)
def test_a_rule_lets_a_stranger_in_or_not(expressions, closed):
    place = {"family": "inet", "table": "filter"}
    extra = [
        {"set": {**place, "name": "web", "type": "inet_service", "elem": [{"elem": {"val": 80, "timeout": 60}}, 443]}},
        {"set": {**place, "name": "knocked", "type": "ipv4_addr", "flags": ["timeout", "dynamic"]}},
        {"set": {**place, "name": "nobody", "type": "ipv4_addr"}},
        {"chain": {**place, "name": "web"}},
        {"rule": {**place, "chain": "web", "expr": [match(PORT, 80), ACCEPT]}},
    ]
    assert refused(ruleset(expressions, extra=extra)) is closed


def test_another_family_does_not_matter():
    assert not refused(ruleset(family="ip6"))
    assert refused(ruleset(family="ip6"), Connection(80, version=6))
    assert not refused(ruleset(family="netdev"))


@pytest.mark.parametrize("text", ["", "no json", '{"nftables": 7}', '{"nftables": [7, {"chain": null}, {"rule": {"expr": 7}}]}'])
def test_what_is_no_ruleset_refuses_nothing(text):
    assert not refused(text)


def test_the_chain_is_told():
    chain = _filter_chains.refusing(_nftables.chains(ruleset(), STRANGER), STRANGER)
    assert chain is not None
    assert chain.place == "the chain input of the table inet filter (nft)"
