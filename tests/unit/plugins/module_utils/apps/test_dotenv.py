# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file of environment variables says, and what is refused in one."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps._dotenv import parse


# Each as python-dotenv 1.2.4 reads it, too (with interpolate=False).
@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ("", {}),
        ("\n \t\n# A=1\n  # B=2\n", {}),
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("  export\tA=1", {"A": "1"}),
        ("export=1\nexportA=2", {"export": "1", "exportA": "2"}),
        ("A = 1 ", {"A": "1"}),
        ("A=\t x y \t", {"A": "x y"}),
        ("A=\nB= \nC=''\nD=\"\"", {"A": "", "B": "", "C": "", "D": ""}),
        ("A=a#b", {"A": "a#b"}),
        ("A=a b\t#c # d", {"A": "a b"}),
        ("A=#b\nB= #b", {"A": "#b", "B": ""}),
        ("A=x=y==\nB==", {"A": "x=y==", "B": "="}),
        ('A=it\'s "so"', {"A": 'it\'s "so"'}),
        ("A=a\\nb\\", {"A": "a\\nb\\"}),
        ('A={"a": [1, "#2"]}', {"A": '{"a": [1, "#2"]}'}),
        ("A=1 B=2; C", {"A": "1 B=2; C"}),
        ("A=$HOME ${HOME} ${X:-y} $(id) `id` %d %%", {"A": "$HOME ${HOME} ${X:-y} $(id) `id` %d %%"}),
        ('A="${HOME} $(id) `id` 50%"', {"A": "${HOME} $(id) `id` 50%"}),
        ("A=' x '\nB=\" x \"", {"A": " x ", "B": " x "}),
        ("A= 'x' # c\nB=\"x\"#c", {"A": "x", "B": "x"}),
        ("A='#'\nB=\"a # b\"", {"A": "#", "B": "a # b"}),
        ("A='\"'\nB=\"'\"", {"A": '"', "B": "'"}),
        (r"A='it\'s \\ \n \" $'", {"A": r"it's \ \n \" $"}),
        (r'A="\"a\" \'b\' \\ \$ \d \x41"', {"A": "\"a\" 'b' \\ \\$ \\d \\x41"}),
        (r'A="\a\b\f\n\r\t\v"', {"A": "\a\b\f\n\r\t\v"}),
        ("A='a\nb'\nB=\"c\n\n# d\" # e\nC=3", {"A": "a\nb", "B": "c\n\n# d", "C": "3"}),
        ('A="a\\\nb"', {"A": "a\\\nb"}),
        ("A=ünï ☃", {"A": "ünï ☃"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=1\r\nB='x\r\ny'\r\n# c\r\n\r\nC=3\r\n", {"A": "1", "B": "x\ny", "C": "3"}),
        ("A=" + "x" * 100000, {"A": "x" * 100000}),
        ("A='" + "x\\'" * 30000 + "'", {"A": "x'" * 30000}),
    ],
)
def test_a_file_is_read_as_python_dotenv_reads_it(written, variables):
    assert parse(written.encode()) == variables


@pytest.mark.parametrize("blank", ["\u00a0", "\u2028", "\f", "\v"])
def test_a_blank_that_is_no_space_and_no_tab_is_a_part_of_the_value(blank):
    assert parse(f"A={blank}x{blank}".encode()) == {"A": f"{blank}x{blank}"}


NAME = "the text before the '=' is not a variable name (letters, digits and underscores, no digit first)"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"A=1\ns3cret\n", "line 2: there is no '='; write NAME=VALUE"),
        (b"export A", "line 1: there is no '='; write NAME=VALUE"),
        (b"A='1'\nB='s3cret", "line 2: the closing ' of a value is missing"),
        (b'A="s3cret\n', 'line 1: the closing " of a value is missing'),
        (b"A='C:\\s3cret\\'", "line 1: the closing ' of a value is missing"),
        (b"A='x\ny's3cret", "line 2: there is text after the closing '; only a comment may follow"),
        (b'A="" s3cret', 'line 1: there is text after the closing "; only a comment may follow'),
        (b"\n\n1A=s3cret", f"line 3: {NAME}"),
        (b"A.B=s3cret", f"line 1: {NAME}"),
        (b"'A'=s3cret", f"line 1: {NAME}"),
        (b"s3cret B=1", f"line 1: {NAME}"),
        (b"=s3cret", f"line 1: {NAME}"),
        ("\u00a0A=1".encode(), f"line 1: {NAME}"),
        (b"A=1\nB='x\ny'\nC=s3cret\0", "line 4: there is a NUL character"),
        (b"A=s3cret\rB=2", "line 1: there is a carriage return within the line"),
        (b"A=1\r\nB=s3cr\xffet", "line 2: there are bytes that are not UTF-8"),
        ("A=1".encode("utf-16"), "line 1: there are bytes that are not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_without_quoting_it(written, told):
    with pytest.raises(ValueError, match=r"^line \d") as caught:
        parse(written)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("\n", id="blank lines"),
        pytest.param("# \n", id="comments"),
        pytest.param("A=\n", id="no values"),
        pytest.param("A='\n'\n", id="values of two lines"),
        pytest.param("A=1" + " " * 1000 + "\n", id="blanks after a value"),
        pytest.param(" " * 1000 + "A=1\n", id="blanks before a name"),
    ],
)
def test_a_file_as_large_as_any_is_read_line_by_line(written):
    assert len(parse((written * ((1 << 20) // len(written))).encode())) == ("A" in written)


@pytest.mark.parametrize(
    ("written", "variables"), [("", {}), ("A=1", {"A": "1"}), ("A=1 #", {"A": "1"}), ("export A=", {"A": ""})]
)
def test_a_line_as_long_as_any_is_read_at_once(written, variables):
    assert parse((written + " " * (1 << 20)).encode()) == variables


@pytest.mark.parametrize("written", ["A", "export"])
def test_a_line_as_long_as_any_is_refused_at_once(written):
    with pytest.raises(ValueError, match="line 1: there is no '='"):
        parse((written + " " * (1 << 20)).encode())
