# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding


def found(*severities):
    return [Finding(severity, f"code{place}", "") for place, severity in enumerate(severities)]


def test_the_worst_comes_first_and_each_once():
    findings = found("note", "broken", "warning", "broken")
    assert [each.code for each in _findings.ordered([*findings, *findings])] == ["code1", "code3", "code2", "code0"]


@pytest.mark.parametrize(
    ("severities", "worst", "counted"),
    [
        ((), "ok", "no finding"),
        (("note",), "note", "1 note"),
        (("note", "warning", "warning"), "warning", "2 warnings, 1 note"),
        (("broken", "broken"), "broken", "2 broken"),
    ],
)
def test_findings_are_summed_up(severities, worst, counted):
    assert _findings.worst(found(*severities)) == worst
    assert _findings.counted(found(*severities)) == counted


def test_a_finding_is_told_as_modules_do():
    finding = Finding("broken", "missing", "It is gone.", ("a", "b"), "make it").at("shop.example.com")
    assert finding.result() == {
        "severity": "broken",
        "code": "missing",
        "message": "It is gone.",
        "evidence": ["a", "b"],
        "fix": "make it",
        "site": "shop.example.com",
        "quick_fix": "",
    }


@pytest.mark.parametrize(("count", "words"), [(0, "0 bytes"), (2048, "2 KiB"), (3 << 20, "3 MiB"), (5 << 40, "5.0 TiB")])
def test_a_number_of_bytes_is_told_in_a_unit_that_can_be_read(count, words):
    assert _findings.size(count) == words
