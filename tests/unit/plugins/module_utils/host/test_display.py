# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _display


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, caf\u00e9 \u4e2d \U0001f642", "plain, caf\u00e9 \u4e2d \U0001f642"),
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("\x00\x7f\x85\x9b", r"\x00\x7f\x85\x9b"),
        ("a\r\n\tb", r"a\x0d\x0a\x09b"),
        ("\u2028\u2029\u202e\u2066\u200f", r"\u2028\u2029\u202e\u2066\u200f"),
        ("\udcff\ud800", r"\xff\ud800"),
    ],
)
def test_control_characters_are_shown(text, expected):
    assert _display.shown(text) == expected


def test_in_results_of_any_shape():
    result = {"a\x1b": ["x\n", ("\x1b", 1, None, True, 0.5)], "msg": "two\nlines\x1b", "diff": [{"before": "\ta\n\x1b"}]}
    assert _display.shown(result) == {
        r"a\x1b": [r"x\x0a", [r"\x1b", 1, None, True, 0.5]],
        "msg": "two\nlines" + r"\x1b",
        "diff": [{"before": "\ta\n" + r"\x1b"}],
    }


def test_escape_sequences_are_removed_and_the_text_stays():
    written = "\x1b[31;1mred\x1b[0m \x1b]0;title\x07a\x1b(B \x9b1mb\tc\r\n\x1b]8;;http://x\x1b\\link"
    assert _display.plain(written) == "red a b c\nlink"
