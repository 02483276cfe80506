# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _packet_filters
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._packet_filters import PacketFilters

DROPPED = "*filter\n:INPUT DROP [0:0]\n"
FILE = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n"


def nft(*expressions, hook="input", name="input"):
    place = {"family": "inet", "table": "filter"}
    chain = {"chain": {**place, "name": name, "type": "filter", "hook": hook, "policy": "drop"}}
    rules = [{"rule": {**place, "chain": name, "expr": [*each]}} for each in expressions]
    return json.dumps({"nftables": [chain, *rules]})


def on(name):
    return [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": name}}, {"accept": None}]


BARE = PacketFilters(nft=nft(), interfaces=("eth0",))
RULE = "nft insert rule inet filter input iifname lo accept"


@pytest.mark.parametrize(
    ("filters", "address", "count"),
    [
        (BARE, "127.0.0.1:8001", 1),
        (BARE, "[::1]:8001", 1),
        (BARE, "localhost:8001", 1),
        (BARE, "10.0.0.2:8001", 0),
        (BARE, "unix:/run/shop.sock", 0),
        (replace(BARE, nft=nft(on("lo"))), "127.0.0.1:8001", 0),
        (replace(BARE, nft=nft(hook="output")), "127.0.0.1:8001", 1),
        (replace(BARE, nft=nft(hook="forward")), "127.0.0.1:8001", 0),
        (PacketFilters(iptables={4: ("", DROPPED)}), "127.0.0.1:8001", 1),
        (PacketFilters(iptables={6: (DROPPED,)}), "127.0.0.1:8001", 0),
        (PacketFilters(), "127.0.0.1:8001", 0),
    ],
)
def test_nginx_can_be_kept_from_an_app_on_the_same_host(filters, address, count):
    assert len(_packet_filters.judge_app(filters, address, 33)) == count


@pytest.mark.parametrize(
    ("filters", "fix", "quick"),
    [
        (
            replace(BARE, file=FILE),
            f"sed -i '/type filter hook input .*;[ \\t]*$/a iifname lo accept' /etc/nftables.conf && {RULE}",
            "",
        ),
        (
            BARE,
            "Add 'iifname lo accept' to the chain input of the table inet filter (nft), where nft gets it from at boot.",
            RULE,
        ),
        (
            replace(BARE, nft=nft(hook="output", name="out")),
            "Add 'oifname lo accept' to the chain out of the table inet filter (nft), where nft gets it from at boot.",
            "nft insert rule inet filter out oifname lo accept",
        ),
        (
            PacketFilters(iptables={4: (DROPPED,)}, persistent=True),
            "iptables -I INPUT -i lo -j ACCEPT && netfilter-persistent save",
            "",
        ),
        (
            PacketFilters(iptables={4: (DROPPED,)}),
            "Add '-i lo -j ACCEPT' to the rules of INPUT, where iptables gets them from at boot.",
            "iptables -I INPUT -i lo -j ACCEPT",
        ),
    ],
)
def test_the_fix_lasts_where_it_is_known_how(filters, fix, quick):
    (found,) = _packet_filters.judge_app(filters, "127.0.0.1:8001", 33)
    assert (found.fix, found.quick_fix) == (fix, quick)


@pytest.mark.parametrize(
    ("filters", "exposed"),
    [
        (PacketFilters(), True),
        (BARE, False),
        (replace(BARE, nft=nft(on("wg0"))), False),
        (replace(BARE, nft=nft(on("wg0")), interfaces=("eth0", "wg0")), True),
        (replace(BARE, nft=nft(on("eth0"))), True),
    ],
)
def test_a_port_is_exposed_unless_strangers_are_refused(filters, exposed):
    assert _packet_filters.exposed(filters, 8001, 4) is exposed
