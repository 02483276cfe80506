# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _firewall
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._firewall import Firewall
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Listen, ServerBlock

UFW = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n"
FILE = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\tiif lo accept\n\t}\n}\n"
PORTS = "{ 80, 443 }"
INSERT = f"nft insert rule inet filter input tcp dport {PORTS} accept"


def nft(*expressions, hook="input", policy="drop", name="input"):
    place = {"family": "inet", "table": "filter"}
    chain = {"chain": {**place, "name": name, "type": "filter", "hook": hook, "policy": policy}}
    rules = [{"rule": {**place, "chain": name, "expr": [*each]}} for each in expressions]
    return json.dumps({"nftables": [chain, *rules]})


def accept(port):
    return [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": port}}, {"accept": None}]


def on(name):
    return [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": name}}, {"accept": None}]


def server(*listens):
    return ServerBlock(("shop.test",), tuple(listens))


HTTP, HTTPS = Listen("*:80"), Listen("*:443", tls=True)
BARE = Firewall(nft=nft(), interfaces=("eth0",))


@pytest.mark.parametrize(
    ("firewall", "listens", "severity"),
    [
        (BARE, [HTTP], "broken"),
        (BARE, [HTTP, HTTPS], "broken"),
        (BARE, [Listen("127.0.0.1:80")], None),
        (BARE, [Listen("unix:/run/site.sock")], None),
        (BARE, [Listen("[::]:80")], None),
        (replace(BARE, interfaces=()), [HTTP], None),
        (replace(BARE, tunnel="cloudflared.service"), [HTTP], "note"),
        (replace(BARE, nft=nft(accept(80))), [HTTP, HTTPS], "broken"),
        (replace(BARE, nft=nft(accept(443))), [HTTP, HTTPS], "note"),
        (replace(BARE, nft=nft(accept(80), accept(443))), [HTTP, HTTPS], None),
        (Firewall(nft=nft(on("wg0")), interfaces=("eth0",)), [HTTP], "broken"),
        (Firewall(nft=nft(on("wg0")), interfaces=("eth0", "wg0")), [HTTP], None),
    ],
)
def test_a_site_that_nobody_reaches_is_found(firewall, listens, severity):
    found = _firewall.judge_site(firewall, [server(*listens)], [4])
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_ipv6_matters_if_names_lead_there():
    six = [server(HTTP, Listen("[::]:80"))]
    firewall = Firewall(iptables={6: UFW}, interfaces=("eth0",))
    assert _firewall.judge_site(firewall, six, [4]) == []
    (found,) = _firewall.judge_site(firewall, six, [4, 6])
    assert "port 80 over IPv6" in found.message


@pytest.mark.parametrize(
    ("firewall", "fix", "quick"),
    [
        (
            replace(BARE, file=FILE),
            f"sed -i '/type filter hook input .*;[ \\t]*$/a tcp dport {PORTS} accept' /etc/nftables.conf && {INSERT}",
            "",
        ),
        (
            BARE,
            f"Add 'tcp dport {PORTS} accept' to the chain input of the table inet filter (nft), where nft gets it from at boot.",
            INSERT,
        ),
        (Firewall(iptables={4: UFW}, interfaces=("eth0",), manager="ufw"), "ufw allow 80/tcp && ufw allow 443/tcp", ""),
        (
            Firewall(iptables={4: UFW}, interfaces=("eth0",), persistent=True),
            "iptables -I INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT && netfilter-persistent save",
            "",
        ),
        (
            Firewall(iptables={4: UFW}, interfaces=("eth0",)),
            "Add '-p tcp -m multiport --dports 80,443 -j ACCEPT' to the rules of INPUT, where iptables gets them from at boot.",
            "iptables -I INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT",
        ),
    ],
)
def test_the_fix_lasts_where_it_is_known_how(firewall, fix, quick):
    (found,) = _firewall.judge_site(firewall, [server(HTTP, HTTPS)], [4])
    assert (found.fix, found.quick_fix) == (fix, quick)


def test_nginx_can_be_kept_from_an_app_on_the_same_host():
    firewall = Firewall(nft=nft(accept(80)), interfaces=("eth0",))
    (found,) = _firewall.judge_app(firewall, "127.0.0.1:8001", 33)
    assert (found.severity, found.quick_fix) == ("broken", "nft insert rule inet filter input iifname lo accept")
    assert _firewall.judge_app(replace(firewall, nft=nft(on("lo"))), "127.0.0.1:8001", 33) == []
    assert _firewall.judge_app(firewall, "10.0.0.2:8001", 33) == []
    assert _firewall.judge_app(firewall, "unix:/run/shop.sock", 33) == []
    (out,) = _firewall.judge_app(replace(firewall, nft=nft(hook="output", name="out")), "localhost:8001", 33)
    assert out.quick_fix == "nft insert rule inet filter out oifname lo accept"


def test_a_port_is_exposed_unless_strangers_are_refused():
    assert _firewall.exposed(Firewall(), 8001, 4)
    assert not _firewall.exposed(replace(BARE, nft=nft(on("wg0"))), 8001, 4)
