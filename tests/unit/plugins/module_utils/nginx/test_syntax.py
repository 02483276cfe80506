# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _syntax

FILE = "/etc/nginx/nginx.conf"


def shown(directives):
    """Directives as nested lists, without their places."""
    return [[found.name, *found.arguments] + ([] if found.block is None else [shown(found.block)]) for found in directives]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("daemon off;", [["daemon", "off"]]),
        ("a 1; # b 2;\nc 3;", [["a", "1"], ["c", "3"]]),
        ("a 'x y' \"it's\" z\\ z;", [["a", "x y", "it's", "z\\ z"]]),
        ('a "\\"" \'\\\'\' "\\t";', [["a", '"', "'", "\t"]]),
        ("a ${b}c;", [["a", "${b}c"]]),
        ("http { server { listen 80; } }", [["http", [["server", [["listen", "80"]]]]]]),
        ("location /x { }", [["location", "/x", []]]),
        ("set_by_lua_block $a { return '}' } b 1;", [["set_by_lua_block", "$a", []], ["b", "1"]]),
        ("} a 1;", [["a", "1"]]),
        ("a 1", []),
        ("http { a 1;", [["http", [["a", "1"]]]]),
    ],
)
def test_text_becomes_directives(text, expected):
    assert shown(_syntax.parse(text, FILE)) == expected


def test_a_directive_knows_the_line_that_it_begins_in():
    first, second = _syntax.parse("a\n  1;\n\nb { c\n'x\ny'; d; }", FILE)
    assert [(found.name, found.line) for found in _syntax.walk([first, second])] == [("a", 1), ("b", 4), ("c", 4), ("d", 6)]
    assert first.file == FILE


def test_a_dump_is_split_at_the_names_of_its_files():
    text = "nginx: ok\n# configuration file /a:\nx;\n# configuration file b\n\n# configuration file /b:\ny;\n"
    assert _syntax.split_dump(text) == {"/a": "x;\n# configuration file b\n\n", "/b": "y;\n"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("b", ["b"]),
        ("/n/b", ["b"]),
        ("*.conf", ["c", "d"]),  # neither a hidden file nor one of a subdirectory
        ("sub/*", ["s"]),
        ("missing", []),
        ("a", []),  # includes itself
    ],
)
def test_includes_are_replaced_by_what_the_files_contain(pattern, expected):
    files = {"/n/a": f"include {pattern};", "/n/b": "b;", "/n/d.conf": "d;", "/n/c.conf": "c;"}
    files |= {"/n/.h.conf": "h;", "/n/sub/s.conf": "s;"}
    found = _syntax.expand_includes(_syntax.parse(files["/n/a"], "/n/a"), files, "/n", ("/n/a",))
    assert [directive.name for directive in found] == expected


def test_the_first_argument_of_a_directive_is_found():
    directives = _syntax.parse("user; user www-data www; user root;", FILE)
    assert _syntax.first_argument(directives, "user") == "www-data"
    assert _syntax.first_argument(directives, "pid") == ""
