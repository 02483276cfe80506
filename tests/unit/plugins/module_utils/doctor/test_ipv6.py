# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _ipv6
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Listen, ServerBlock

FOUR, SIX, AWAY = "203.0.113.9", "2001:db8::9", "2001:db8::77"
OWN = {FOUR, SIX, "127.0.0.1", "::1", "fe80::1"}
FILE = "/etc/nginx/sites-enabled/shop"


def server(*addresses, default=False):
    return ServerBlock(
        ("shop.test",), tuple(Listen(address, default=default, file=FILE, line=2) for address in addresses), file=FILE
    )


def judge(servers, answer, others=()):
    return _ipv6.judge(servers, [*servers, *others], {"shop.test": answer}, OWN)


@pytest.mark.parametrize(
    ("addresses", "answer", "codes"),
    [
        (["*:80"], [FOUR, SIX], ["ipv6_not_listening"]),
        (["*:80"], [SIX], ["ipv6_not_listening"]),
        (["*:80"], [FOUR], []),
        (["*:80"], "does not exist", []),
        (["*:80"], [FOUR, "::1", "fe80::1"], []),
        (["*:80", "[::]:80"], [FOUR, SIX], []),
        (["*:80", f"[{SIX}]:80"], [FOUR, SIX], []),
        (["*:80", "[::1]:80"], [FOUR, SIX], ["ipv6_not_listening"]),
        (["*:80", "[::]:80"], [FOUR, AWAY], ["dns_ipv6_elsewhere"]),
        (["*:80", "[::]:80"], [AWAY], []),
    ],
)
def test_names_that_lead_nowhere_by_ipv6_are_found(addresses, answer, codes):
    assert [finding.code for finding in judge([server(*addresses)], answer)] == codes


def test_another_site_may_answer_there():
    assert "refused" in judge([server("*:80")], [SIX])[0].message
    assert "another site answers" in judge([server("*:80")], [SIX], [server("[::]:80")])[0].message


@pytest.mark.parametrize(
    ("line", "port", "after"),
    [
        ("    listen 80;", 80, "    listen 80; listen [::]:80;"),
        ("listen  *:443 ssl http2;", 443, "listen  *:443 ssl http2; listen  [::]:443 ssl http2;"),
        (
            "server { listen 203.0.113.9:80; location / { } }",
            80,
            "server { listen 203.0.113.9:80; listen [::]:80; location / { } }",
        ),
        ("listen 8080; listen 80;", 80, "listen 8080; listen 80; listen [::]:80;"),
        ("listen 8080;", 80, "listen 8080;"),
    ],
)
def test_the_fix_adds_what_is_missing(line, port, after):
    fix = judge([server(f"*:{port}")], [SIX])[0].fix
    program = re.match(r"sed -i --follow-symlinks '2(s/.+)' \S+ && nginx -t && systemctl reload nginx$", fix)
    assert program, fix
    done = subprocess.run(["sed", program[1]], input=f"{line}\n", capture_output=True, text=True, check=True)
    assert done.stdout == f"{after}\n"


def test_two_default_servers_of_one_address_would_stop_nginx():
    fix = judge([server("*:80", default=True)], [SIX], [server("[::]:80", default=True)])[0].fix
    assert fix == f"Add 'listen [::]:80;' to the server block in {FILE}, and reload nginx."


@pytest.mark.parametrize(
    ("answer", "versions"), [([FOUR], [4]), ([SIX], [4, 6]), ([FOUR, SIX], [4, 6]), ([AWAY], [4]), ("", [4])]
)
def test_the_versions_by_which_visitors_come(answer, versions):
    assert _ipv6.versions({"shop.test": answer}, OWN) == versions
