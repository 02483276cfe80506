# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _filter_chains
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Chain, Connection, FilterRule, Verdict


def rule(matches, kind, target=""):
    return FilterRule(matches, (Verdict(kind, target),))


def refuses(policy, *rules, **others):
    chains = {("nft", "inet filter", "input"): Chain("input", "inet filter", "nft", "input", policy, list(rules))}
    for name, inner in others.items():
        chains["nft", "inet filter", name] = Chain(name, "inet filter", "nft", "", "accept", inner)
    return _filter_chains.refusing(chains, Connection(80)) is not None


@pytest.mark.parametrize(
    ("policy", "rules", "refused"),
    [
        ("accept", [], False),
        ("drop", [], True),
        ("drop", [rule(True, "accept")], False),
        ("drop", [rule(False, "accept")], True),
        ("drop", [rule(None, "accept")], False),
        ("accept", [rule(None, "drop")], False),
        ("accept", [rule(None, "drop"), rule(True, "reject")], True),
        ("accept", [rule(True, "continue"), rule(True, "drop")], True),
        ("drop", [rule(True, "return"), rule(True, "accept")], True),
        ("accept", [FilterRule(True, (Verdict("drop"), Verdict("accept")))], False),
    ],
)
def test_only_what_certainly_refuses_counts(policy, rules, refused):
    assert refuses(policy, *rules) is refused


@pytest.mark.parametrize(
    ("inner", "refused"),
    [
        ([], True),
        ([rule(True, "accept")], False),
        ([rule(True, "return"), rule(True, "accept")], True),
        ([rule(None, "accept")], False),
        ([rule(True, "jump", "inner")], True),
    ],
)
def test_chains_return_to_where_they_were_called(inner, refused):
    assert refuses("accept", rule(True, "jump", "inner"), rule(True, "drop"), inner=inner) is refused


def test_a_goto_does_not_return():
    assert not refuses("accept", rule(True, "goto", "inner"), rule(True, "drop"), inner=[])
    assert refuses("drop", rule(True, "goto", "inner"), rule(True, "accept"), inner=[])


def test_other_hooks_do_not_matter():
    chains = {("nft", "inet filter", "forward"): Chain("forward", "inet filter", "nft", "forward", "drop")}
    assert _filter_chains.lets_in(chains, Connection(80))


@pytest.mark.parametrize(
    ("address", "network", "answer"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("198.51.100.7", "10.0.0.0/8", False),
        ("", "10.0.0.0/8", None),
        ("", "0.0.0.0/0", True),
        ("2001:db8::7", "10.0.0.0/8", False),
        ("10.1.2.3", "@trusted", None),
    ],
)
def test_an_address_is_in_a_network(address, network, answer):
    assert _filter_chains.is_in(address, network) is answer
