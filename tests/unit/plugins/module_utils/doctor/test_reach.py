# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine, _reach
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._reach import Addresses
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration

MINE = Addresses(frozenset({"192.0.2.1", "192.0.2.9", "2001:db8::1"}), "192.0.2.1", "2001:db8::1")
BOTH = ["192.0.2.1", "2001:db8::1"]


def judge(tmp_path, monkeypatch, text, dns=None, listening=False):
    """The findings of the site a.test, whose block is in the file of the configuration."""
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    (tmp_path / "n").write_text(text)
    servers = _configuration.parse(f"# configuration file {tmp_path}/n:\nhttp {{ {text}\n }}\n").servers
    (site,) = [Site(group) for group in _examine.grouped(servers) if "a.test" in group[0].names]
    site.dns = {"a.test": dns} if dns is not None else {}
    return _reach.judge(site, servers, MINE, lambda _address, _port: listening)


APP = "server_name a.test; location / { proxy_pass http://127.0.0.1:8000; } }"
OTHER = "server_name b.test; location / { proxy_pass http://127.0.0.1:8001; } }"


@pytest.mark.parametrize(
    ("text", "dns", "code", "severity", "fix"),
    [
        (f"server {{ listen 80; {APP}", None, None, "", ""),
        (f"server {{ listen 80; {APP}", "does not exist", None, "", ""),
        (f"server {{ listen 80; {APP}", ["192.0.2.1"], None, "", ""),
        (f"server {{ listen 80; {APP}", ["203.0.113.5", "2001:db8::2"], None, "", ""),
        (f"server {{ listen 80; {APP}", BOTH, "ipv6_missing", "warning", "listen *:80; listen [::]:80#"),
        (
            f"server {{ listen 443 ssl http2 reuseport; {APP}",
            BOTH,
            "ipv6_missing",
            "warning",
            "listen *:443 ssl http2 reuseport; listen [::]:443 ssl http2#",
        ),
        (f"server {{ listen 80; listen [::]:80; {APP}", BOTH, None, "", ""),
        (f"server {{ listen 80; {APP} server {{ listen [::]:80; return 404; }}", BOTH, "ipv6_missing", "broken", "listen"),
        (f"server {{ listen [::]:80; {APP}", None, "ipv4_missing", "broken", "listen [::]:80; listen *:80#"),
        (f"server {{ listen [::]:80; {APP}", ["2001:db8::1"], None, "", ""),
        (f"server {{ listen [::]:80 ipv6only=off; {APP}", BOTH, None, "", ""),
        (f"server {{ listen [::]:80; {APP} server {{ listen 80; {OTHER}", None, "ipv4_missing", "broken", "listen *:80#"),
        (
            f"server {{ listen 80; {APP} server {{ listen 192.0.2.1:80; {OTHER}",
            None,
            "other_server",
            "broken",
            "listen 192.0.2.1:80#",
        ),
        (f"server {{ listen 80; {APP} server {{ listen 192.0.2.9:80; {OTHER}", None, None, "", ""),
        (
            f"server {{ listen 80; {APP} server {{ listen 192.0.2.9:80; {OTHER}",
            ["192.0.2.9"],
            "other_server",
            "broken",
            "192.0.2.9",
        ),
        (f"server {{ listen 80; {APP} server {{ listen 127.0.0.1:80; {OTHER}", None, "other_server", "warning", "127.0.0.1:80#"),
        (f"server {{ listen 80; {APP} server {{ listen 127.0.0.1:80; stub_status; }}", None, None, "", ""),
        (f"server {{ listen 127.0.0.1:8081; {APP}", BOTH, None, "", ""),
    ],
)
def test_who_does_not_get_to_a_site(tmp_path, monkeypatch, text, dns, code, severity, fix):
    found = judge(tmp_path, monkeypatch, text, dns)
    assert [(finding.code, finding.severity) for finding in found] == ([(code, severity)] if code else [])
    assert all(fix.replace("\\", "") in finding.fix.replace("\\", "") for finding in found), found


def test_another_program_may_take_the_requests(tmp_path, monkeypatch):
    assert judge(tmp_path, monkeypatch, f"server {{ listen 80; {APP}", BOTH, listening=True) == []


def test_one_finding_for_all_names(tmp_path, monkeypatch):
    (found,) = judge(tmp_path, monkeypatch, f"server {{ listen [::]:80; server_name a.test www.a.test; {APP[20:]}")
    assert found.evidence == ("a.test:80 at 192.0.2.1: connection refused",)


@pytest.mark.parametrize(
    ("names", "asked"), [(["_", "", "*.a.test", "a.*", "~^a$", ".b.test", "a.test", "192.0.2.1"], ["a.test", "192.0.2.1"])]
)
def test_names_that_a_visitor_can_ask_for(names, asked):
    assert _reach.plain(names) == asked


@pytest.mark.parametrize(
    ("listen", "mine", "address"),
    [
        ("*:80", MINE, "192.0.2.1"),
        ("[::]:80", MINE, "2001:db8::1"),
        ("[::]:80", Addresses(frozenset({"127.0.0.1", "::1"})), "::1"),
        ("[::]:80", Addresses(frozenset({"127.0.0.1"})), ""),
        ("*:80", Addresses(frozenset({"127.0.0.1"})), "127.0.0.1"),
        ("192.0.2.9:80", MINE, "192.0.2.9"),
        ("198.51.100.7:80", MINE, ""),
        ("unix:/n.sock", MINE, ""),
    ],
)
def test_where_to_connect(listen, mine, address):
    assert mine.of(_configuration.Listen(listen)) == address
