# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _report


def test_the_report_can_be_read(result):
    lines = _report.lines(result)
    assert lines[0].startswith("shop.test ...")
    assert lines[0].endswith(". broken")
    (heading,) = [line for line in lines if line.startswith("nginx and the host ...")]
    assert heading.endswith(" note")
    assert len(heading) == len(lines[0])
    assert "  upstream     unix:/run/shop.sock (uwsgi, /): bad_status, answers 500" in lines
    assert "  process      uwsgi 7, shop.service, as shop, since 2026-01-02 03:04:05" in lines
    assert "  certificate  shop.test until 2026-03-04, 1 day left, self-signed, /etc/ssl/shop.pem" in lines
    finding = lines.index("  BROKEN bad_status: It answers 500.")
    assert lines[finding + 1 : finding + 3] == ["    | <b>", "    fix: fix 'it' & that"]
    assert lines[-1] == "1 site: 1 broken; the host: 1 note"


def test_a_host_without_nginx_says_so(result):
    nothing = {**result, "nginx": {"installed": False}, "sites": [], "findings": []}
    assert _report.lines(nothing)[1:] == ["  nginx  not installed", "", "no sites"]


def of_sites(result, *states):
    """A result with a site in each state; those of two findings count once."""
    (site,) = result["sites"]
    names = [f"site{place}.test" for place, _state in enumerate(states)]
    found = [{**result["findings"][0], "severity": state, "site": name} for name, state in zip(names, states) if state != "ok"]
    return {**result, "sites": [{**site, "name": name} for name in names], "findings": found * 2}


@pytest.mark.parametrize(
    ("states", "summary"),
    [
        (("ok",), "1 site: 1 ok"),
        (("ok", "broken", "broken", "warning", "note"), "5 sites: 2 broken, 1 with warnings, 1 with notes, 1 ok"),
        ((), "no sites"),
    ],
)
def test_sites_are_counted_as_sites(result, states, summary):
    assert _report.summary([of_sites(result, *states)]) == summary


def test_what_is_broken_comes_first_else_the_order_is_nginxs(result):
    found = _report.blocks(of_sites(result, "ok", "warning", "broken", "ok", "broken"))
    assert [block.title for block in found] == ["site2.test", "site4.test", "site1.test", "", "site0.test", "site3.test"]


@pytest.mark.parametrize(
    ("fix", "quick", "fixes"),
    [
        ("systemctl start x", "", [("fix", "systemctl start x")]),
        ("Correct the record.", "", [("advice", "Correct the record.")]),
        ("Correct the record.", "true", [("advice", "Correct the record."), ("meanwhile", "true")]),
        ("", "", []),
        ("x" * 5000, "", [("fix", _report.TOO_LONG)]),
    ],
)
def test_a_sentence_does_not_look_like_a_command(fix, quick, fixes):
    assert _report.fixes({"fix": fix, "quick_fix": quick}) == fixes


def test_long_texts_are_cut(result):
    finding = {**result["findings"][0], "message": "m" * 3000, "evidence": ["e" * 3000] * 30}
    lines = _report.lines({**result, "findings": [finding]})
    assert max(map(len, lines)) < 1100
    assert any(line.endswith("… (2000 more characters)") for line in lines)
    assert "    | and 10 more lines" in lines
