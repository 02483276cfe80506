# SPDX-License-Identifier: GPL-3.0-or-later
"""Which list an app belongs to, and what a run may change."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Record, Scope

RECORD = Record({"shop": {"list": "team-a", "claims": {}}, "blog": {"list": "default", "claims": {}}})


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param(Scope("default", record=RECORD), {"blog", "unknown"}, id="the list that is not named"),
        pytest.param(Scope("team-a", record=RECORD), {"shop", "shop.preview"}, id="another list, and a preview"),
        pytest.param(Scope("default", frozenset(["unknown"]), RECORD), {"unknown"}, id="some apps"),
        pytest.param(Scope("team-a", frozenset(["blog"]), RECORD), set(), id="an app of another list"),
        pytest.param(Scope(None, record=RECORD), {"shop", "shop.preview", "blog", "unknown"}, id="all lists"),
    ],
)
def test_what_a_run_may_change(scope, expected):
    assert {name for name in ("shop", "shop.preview", "blog", "unknown") if scope.has(name)} == expected


def test_an_app_of_another_list_is_refused():
    RECORD.refuse_foreign(["shop", "unknown"], "team-a")
    with pytest.raises(StackError, match="app blog belongs to the list default on this host, not to team-a"):
        RECORD.refuse_foreign(["shop", "blog"], "team-a")


def test_the_record_is_read_as_it_was_written(tmp_path):
    path = str(tmp_path / "lists.json")
    assert _record.load(path) == Record()
    _record.save(RECORD, path)
    assert _record.load(path) == RECORD
    assert (tmp_path / "lists.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"apps": {}}'])
def test_a_damaged_record_is_no_empty_one(tmp_path, text):
    (tmp_path / "lists.json").write_text(text)
    with pytest.raises(StackError, match="is damaged"):
        _record.load(str(tmp_path / "lists.json"))
