# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine, _firewall
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._packet_filters import PacketFilters
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Chain
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration

TEXT = """
server { listen 80; listen [::]:443 ssl; server_name a.test; location / { proxy_pass http://127.0.0.1:8000; } }
server { listen 80; server_name b.test; location / { proxy_pass http://127.0.0.1:8001; } }
server { listen 127.0.0.1:81; listen unix:/n; listen 443 quic; server_name c.test;
         location / { proxy_pass http://127.0.0.1:8001; } }
server { listen 82; server_name d.test; return 404; }
"""


def sites():
    servers = _configuration.parse(f"# configuration file /n:\nhttp {{ {TEXT} }}\n").servers
    return [Site(group) for group in _examine.grouped(servers)]


def test_the_ports_that_have_to_be_open():
    assert _firewall.ports(sites()) == {(80, 4): ["a.test", "b.test"], (443, 6): ["a.test"]}


DROPPED = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT\n"
FILTERS = PacketFilters(iptables={4: (DROPPED,)}, interfaces=("eth0",))


@pytest.mark.parametrize(
    ("ufw", "fix", "quick"),
    [
        (None, "ufw allow 80/tcp", ""),
        ("inactive", "Add '-p tcp ", "iptables -I INPUT -p tcp -m multiport --dports 80 -j ACCEPT"),
    ],
)
def test_a_port_that_the_firewall_closes(monkeypatch, ufw, fix, quick):
    monkeypatch.setattr(_firewall._packet_filters, "look", lambda: FILTERS)
    monkeypatch.setattr(_firewall._ufw, "inactive", lambda: ufw)
    (finding,), closed = _firewall.look(sites())
    assert closed == {80}
    place = "the chain INPUT of the table filter (iptables)"
    assert (finding.severity, finding.evidence) == ("warning", (f"port 80, IPv4: refused in {place}",))
    assert "on port 80: visitors of a.test, b.test get no answer" in finding.message
    assert finding.fix.startswith(fix)
    assert finding.quick_fix == quick


def test_firewalld_has_a_tool_of_its_own():
    chain = Chain("filter_INPUT", "inet firewalld", "nft", "input", "drop")
    fix, _quick = _firewall._fix(FILTERS, [80, 443], chain)
    assert fix.endswith("--add-port=80/tcp && firewall-cmd -q --permanent --add-port=443/tcp && firewall-cmd -q --reload")


def test_nothing_is_closed(monkeypatch):
    monkeypatch.setattr(_firewall._packet_filters, "look", PacketFilters)
    assert _firewall.look(sites()) == ([], set())
