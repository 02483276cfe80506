# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine, _listens
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._reach import Addresses
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration

MINE = Addresses(frozenset({"192.0.2.1"}), "192.0.2.1", "")
PASS = "location / { proxy_pass http://127.0.0.1:8000; } }"
SENT = '192.0.2.7 - - [28/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 400 255 "-" "Mozilla/5.0"\n'


@pytest.mark.parametrize(
    ("text", "log", "found", "fix"),
    [
        (f"server {{ listen 80; listen 443 ssl; server_name a.test; {PASS}", "", [], ""),
        (
            f"server {{ listen 443; server_name a.test; ssl_certificate c; {PASS}",
            "",
            ["listen_not_tls broken"],
            "listen 443 ssl#",
        ),
        (f"server {{ listen 443; server_name a.test; {PASS}", "", ["listen_not_tls warning"], "Obtain "),
        (f"server {{ listen 443; server_name a.test; {PASS} server {{ listen 443 ssl; }}", "", [], ""),
        (f"server {{ listen 127.0.0.1:443; server_name a.test; {PASS}", "", [], ""),
        (
            f"server {{ listen 8443 ssl; server_name a.test; {PASS}",
            SENT,
            ["tls_only warning"],
            "$http_host$request_uri; server_name#",
        ),
        (f"server {{ listen 8443 ssl; server_name a.test; {PASS}", SENT.replace("255", "157"), ["tls_only note"], "error_page"),
        (f"server {{ listen 8443 ssl; server_name a.test; error_page 497 /x; {PASS}", SENT, [], ""),
        (f"server {{ listen 80; listen 8443 ssl; server_name a.test; {PASS}", SENT, [], ""),
        (
            f"server {{ server_name a.test, www.a.test; {PASS}",
            "",
            ["server_name_wrong warning"],
            "#server_name a.test www.a.test#",
        ),
        (f"server {{ server_name http://a.test/; {PASS}", "", ["server_name_wrong warning"], "#server_name a.test#"),
        (
            f"server {{ return 404; }} server {{ server_name a.test:80 a.test:80; {PASS}",
            "",
            ["server_name_wrong broken"],
            "#server_name a.test#",
        ),
        (f"server {{ server_name _ localhost *.a.test ~^a:b/; {PASS}", "", [], ""),
    ],
)
def test_ports_and_names_as_they_are_written(tmp_path, monkeypatch, text, log, found, fix):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    (tmp_path / "n").write_text(text)
    (tmp_path / "access.log").write_text(log)
    lines = f"access_log {tmp_path}/access.log; include {tmp_path}/n;"
    configuration = _configuration.parse(
        f"# configuration file /m:\nhttp {{ {lines} }}\n# configuration file {tmp_path}/n:\n{text}\n"
    )
    sites = [Site(servers) for servers in _examine.grouped(configuration.servers)]
    findings = [finding for site in sites for finding in _listens.judge(site, configuration, MINE)]
    assert [f"{finding.code} {finding.severity}" for finding in findings] == found
    assert all(fix in finding.fix for finding in findings), findings
