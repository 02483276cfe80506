# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a file, a shell, nginx or uWSGI would not get as they are written."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _dotenv, _schema


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (_schema.text(), "a\0b"),
        (_schema.text(), "a\x1bb"),
        (_schema.text(), "a\ud800b"),
        (_schema.lines, ["a\0b"]),
        (_schema.path_inside, "pub$arg_x"),
        (_schema.path_inside, "%(pub)"),
        (_schema.path_inside, "pub@(x)"),
        (_schema.path_inside, "pub "),
        (_schema.path_on_host, "data"),
        (_schema.path_on_host, "/"),
        (_schema.path_on_host, "/srv/../etc"),
        (_schema.path_on_host, "/srv/a b"),
        (_schema.path_on_host, "/srv/%i"),
        (_schema.path_on_host, "/proc/self"),
        (_schema.path_on_host, "/var/tmp"),
        (_schema.variables, {"A": "\udc80"}),
        (_schema.variables, {"A": "a\0b"}),
        (_schema.variables, {"OPTIND": "1"}),
        (_schema.variables, {"LISTEN_FDS": "1"}),
        (_schema.text(), "a\x9bb"),
        (_schema.text(), "a\u2028b"),
        (_schema.text(), "x" * 131072),
        (_schema.lines, ["a\x1bb"]),
        (_schema.path_on_host, "/."),
        (_schema.variables, {"SERVER_SOFTWARE": "1"}),
        (_schema.variables, {"A": "x" * 131070}),
        (_schema.variables, {"A\x1b": "1"}),
        (_schema.options, {"a": "b\0"}),
        (_schema.options, {"[other": "x"}),
        (_schema.options, {"#a": "x"}),
        (_schema.options, {"a=b": "x"}),
        (_schema.options, {"a": " b"}),
        (_schema.options, {"a": ["b", "$(c)"]}),
        (_schema.options, {"a": "@(/etc/passwd)"}),
        (_schema.options, {"a": float("nan")}),
        (_schema.options, {"a": b"x"}),
        (_schema.options, {"a": None}),
        (_schema.directives, ["}", "location /x {"]),
        (_schema.directives, ["add_header X y"]),
        (_schema.directives, ["add_header X 'y;"]),
        (_schema.directives, ["if ($x) {"]),
        (_schema.private_key, "-----BEGIN OPENSSH PRIVATE KEY-----\0"),
    ],
)
def test_what_would_not_arrive_is_refused(check, value):
    with pytest.raises(ValueError, match=r"^(an?|the) "):
        check(value)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (_schema.path_inside, 'node_modules/@scope/it\'s "ü"; {x} # y'),
        (_schema.path_on_host, "/mnt/data-1/.x"),
        (_schema.path_on_host, "/var/tmpfiles"),
        (_schema.variables, {"A": "$(x) %(y) @(z) '\"\\ \n\t\x1b", "PWDS": "1"}),
        (_schema.lines, ["add_header X $y;\t# z"]),
        (_schema.variables, {"A": "x" * 131069}),
        (_schema.options, {"log-format": "%(addr) 100%", "a": [1, True, "b c"], "preload_app": 1.5, "e": ""}),
        (_schema.directives, []),
        (_schema.directives, ["if ($x) {", "return 403;", "}", 'add_header X "}";', "# {"]),
        (_schema.directives, ["content_by_lua_block { ngx.say('}') }"]),
    ],
)
def test_what_arrives_is_taken(check, value):
    assert check(value) == value


@pytest.mark.parametrize("written", ["a &&\n\tb", "a &&\n\tb\n\n"])
def test_a_command_can_be_a_block_of_lines(written):
    assert _schema.command(written) == "a &&\n\tb"


@pytest.mark.parametrize("written", ["", "\n", " ", None, ["a"], "a\x1b", "a\r\nb", "a" * 131072])
def test_what_no_shell_can_run_is_no_command(written):
    with pytest.raises(ValueError, match="a shell command, of one or more lines"):
        _schema.command(written)


def test_a_file_of_variables_has_none_of_the_shells_either():
    with pytest.raises(ValueError, match="line 2: PWD is used by what starts the app"):
        _dotenv.parse(b"A=1\nPWD=/x\n")


def test_a_file_of_variables_has_none_that_no_program_can_be_given():
    assert _dotenv.parse(b"A=" + b"x" * 131069)
    with pytest.raises(ValueError, match="line 2: the value is longer than Linux hands to a program"):
        _dotenv.parse(b"\nA=" + b"x" * 131070)
