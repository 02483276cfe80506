# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine, _firewall
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
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


NFT = "rule 7 of chain inet filter input"
FILE = (
    "table inet filter {\n chain input {\n  type filter hook input priority filter; policy drop;\n  tcp dport 22 accept\n }\n}\n"
)


@pytest.mark.parametrize(
    ("ufw", "file", "fix"),
    [
        (None, "", "ufw allow 80/tcp"),
        ("inactive", FILE, "sed -i '/hook input/a tcp dport { 80 } accept' "),
        ("inactive", FILE.replace("chain input", "chain other"), "Let new TCP connections to 80 in, "),
        ("inactive", "", "Let new TCP connections to 80 in, "),
    ],
)
def test_a_port_that_the_firewall_closes(tmp_path, monkeypatch, ufw, file, fix):
    (tmp_path / "nftables.conf").write_text(file)
    monkeypatch.setattr(_firewall, "FILE", str(tmp_path / "nftables.conf"))
    monkeypatch.setattr(_firewall.os.path, "exists", lambda _path: True)
    monkeypatch.setattr(_firewall._ufw, "inactive", lambda: ufw)
    monkeypatch.setattr(_firewall._packet_filter, "read", lambda: None)
    monkeypatch.setattr(_firewall._packet_filter, "blocked", lambda _rules, port, version: NFT if port == 80 else "")
    (finding,), closed = _firewall.look(sites())
    assert closed == {80}
    assert (finding.severity, finding.evidence) == ("warning", (f"port 80, IPv4: {NFT}",))
    assert "on port 80: visitors of a.test, b.test get no answer" in finding.message
    assert finding.fix.startswith(fix)


def test_nothing_is_closed(monkeypatch):
    monkeypatch.setattr(_firewall._packet_filter, "read", lambda: None)
    monkeypatch.setattr(_firewall._packet_filter, "blocked", lambda *_: "")
    assert _firewall.look(sites()) == ([], set())
