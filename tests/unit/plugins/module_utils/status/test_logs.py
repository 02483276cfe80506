# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of apps as one text."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.status import _logs
from ansible_collections.wsgi.stack.tests import apps


def test_each_source_has_a_heading():
    found = {"shop": [{"source": "wsgi-blue@shop.service", "lines": ["a", "b"]}], "blog": []}
    assert _logs.report(found) == ["==> wsgi-blue@shop.service <==", "a", "b", "", "app blog has written nothing.", ""]


def test_the_last_lines_come_without_escape_sequences(monkeypatch):
    monkeypatch.setattr(_logs._systemd, "sync_journal", lambda: None)
    monkeypatch.setattr(_logs._systemd, "journal", lambda fields, **_settings: "")
    monkeypatch.setattr(_logs._untrusted, "tail", lambda path, size: "1\n2\n\x1b[31m3\x1b[0m\n" if "error" in path else "")
    found = _logs.logs({"list": "default", "apps": [apps.resolved()], "lines": 2}, False)["logs"]
    assert found == {"shop": [{"source": "/var/log/nginx/shop.error.log", "lines": ["2", "3"]}]}


@pytest.mark.parametrize("lines", [0, -5])
def test_no_line_at_all_is_refused(lines):
    with pytest.raises(InventoryError, match=f"^lines: {lines} is too few; set it to 1 or more.$"):
        _logs.logs({"list": "default", "apps": [apps.resolved()], "lines": lines}, False)
