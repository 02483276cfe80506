# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _document, _report


def test_programs_get_all_hosts(result):
    found = json.loads(_document.of_hosts({"web-1": {**result, "report": ["text"], "changed": False}}, ["web-2"], "now"))
    assert (found["examined_at"], found["not_examined"]) == ("now", ["web-2"])
    host = found["hosts"]["web-1"]
    assert sorted(host) == ["findings", "nginx", "sites", "state", "summary", "unseen"]
    assert (host["state"], host["summary"]) == ("broken", "1 site: 1 broken; the host: 1 note")
    assert host["findings"][0] == {**result["findings"][0], "evidence": ["<b>", ""]}


def test_a_host_is_one_line(result):
    finding = {**result["findings"][0], "message": "two\nlines and \x1b[31m", "evidence": ["x" * 9000], "fix": "y" * 9000}
    line = _document.line("web-1", {**result, "findings": [finding]})
    assert "\n" not in line
    assert line.isascii()
    found = json.loads(line)
    assert found["host"] == "web-1"
    (shown,) = found["findings"]
    assert shown["message"] == "two\\x0alines and \\x1b[31m"
    assert len(shown["evidence"][0]) < 5000
    assert shown["fix"] == _report.TOO_LONG


def test_without_findings_a_host_is_ok(result):
    assert _document.of_host({**result, "findings": []})["state"] == "ok"
