# SPDX-License-Identifier: GPL-3.0-or-later
"""What another user says of the open files of its processes."""

from __future__ import annotations

import json

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _hidden


def test_only_the_processes_that_were_asked_for_are_believed():
    answer = {"5": {"cwd": "/srv", "files": {"0": "/dev/null"}}, "6": {"cwd": "/", "files": {}}}
    assert _hidden.parsed(json.dumps(answer), [5, 7]) == {5: {"cwd": "/srv", "files": {"0": "/dev/null"}}}


@pytest.mark.parametrize(
    "output",
    ["", "[]", "{", '{"x": {}}', '{"5": []}', '{"5": {"cwd": "/"}}', '{"5": {"cwd": "/", "files": [1]}}', "[" * 200_000],
    ids=range(8),
)
def test_anything_else_is_no_answer(output):
    assert _hidden.parsed(output, [5]) == {}
