# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _report


def test_the_report_can_be_read(result):
    lines = _report.lines(result)
    assert lines[0].startswith("nginx ...")
    assert lines[0].endswith(" note")
    (heading,) = [line for line in lines if line.startswith("shop.test ...")]
    assert heading.endswith(". broken")
    assert len(heading) == len(lines[0])
    assert "  upstream     unix:/run/shop.sock (uwsgi, /): bad_status, answers 500" in lines
    assert "  process      uwsgi 7, shop.service, as shop, since 2026-01-02 03:04:05" in lines
    assert "  certificate  shop.test until 2026-03-04, 1 day left, self-signed, /etc/ssl/shop.pem" in lines
    finding = lines.index("  BROKEN bad_status: It answers 500.")
    assert lines[finding + 1 : finding + 3] == ["    | <b>", "    fix: fix 'it' & that"]
    assert lines[-1] == "1 site: 1 broken, 1 note"


def test_a_host_without_nginx_says_so(result):
    nothing = {**result, "nginx": {"installed": False}, "sites": [], "findings": []}
    assert _report.lines(nothing)[1:] == ["  nginx  not installed", "", "0 sites: no finding"]
