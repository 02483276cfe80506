# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Files of environment variables, ``.env`` by name: read once, by us, so that every stack gets the same.

systemd, uWSGI, supervisor, Docker and shells each read such a file in their own way. The dialect here is python-dotenv's
(compared with 1.2.4), with every value as it is written:

- blank lines, lines that begin with ``#``, an ``export`` before the name, and blanks around the ``=`` mean nothing;
- a value without quotes ends with the line or before a ``#`` with a blank in front of it, and has no blanks around it;
- between single quotes ``\\'`` and ``\\\\`` stand for ``'`` and ``\\``, and all else for itself; between double quotes there are
  ``\\" \\' \\\\ \\a \\b \\f \\n \\r \\t \\v``; either may go over many lines, and a comment may follow;
- of a name that is there twice, the last value counts;
- the line ends of Windows and a byte order mark are let pass.

It differs from python-dotenv in this:

- nothing is expanded: ``$NAME``, ``${NAME}``, ``$(command)``, ``%`` and backticks stand for themselves (as they do with
  python-dotenv's ``interpolate=False``);
- what python-dotenv skips with a warning, such as a line without a closing quote, or takes for a variable without a value, is
  refused, as are names that a shell could not have (python-dotenv takes ``a.b`` and ``'a b'``);
- blanks are the space and the tab, and not every blank of Unicode's;
- a carriage return that does not end a line is refused (python-dotenv makes it a line feed).
"""

from __future__ import annotations

import re

from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import ARGUMENT_BYTES, TAKEN_VARIABLE, VARIABLE, too_long

BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
EXPORT = re.compile(r"[ \t]*export[ \t]+")
BLANKS = re.compile(r"[ \t]*")
SINGLE_QUOTED = re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
DOUBLE_QUOTED = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
UNQUOTED = re.compile(r"[^\n]*")
COMMENT = re.compile(r"[ \t]#")

SINGLE_ESCAPE = re.compile(r"\\([\\'])")
DOUBLE_ESCAPE = re.compile(r"\\([\\'\"abfnrtv])")
ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse(content: bytes) -> dict[str, str]:
    """The variables of a file, by name. Pure.

    :raises ValueError: the first thing in it that cannot be read: the line and what is wrong with it, in words that
        quote nothing of the file, all of which may be secret
    """
    text = _decoded(content)
    variables: dict[str, str] = {}
    position, line, counted = 0, 1, 0
    while position < len(text):
        blank = BLANK.match(text, position)
        if blank:
            position = blank.end()
            continue
        line, counted = line + text.count("\n", counted, position), position
        equals = text.find("=", position)
        if equals == -1 or text.find("\n", position, equals) != -1:
            raise ValueError(f"line {line}: there is no '='; write NAME=VALUE")
        export = EXPORT.match(text, position, equals)
        name = text[export.end() if export else position : equals].strip(" \t")
        if not VARIABLE.fullmatch(name):
            raise ValueError(
                f"line {line}: the text before the '=' is not a variable name (letters, digits and underscores, no digit first)"
            )
        if TAKEN_VARIABLE.fullmatch(name):
            raise ValueError(f"line {line}: {name} is used by what starts the app, so give yours another name")
        value, position = _value(text, equals + 1, line)
        if too_long(f"{name}={value}"):
            raise ValueError(f"line {line}: the value is longer than Linux hands to a program ({ARGUMENT_BYTES} bytes)")
        variables[name] = value
    return variables


def _value(text: str, after_equals: int, line: int) -> tuple[str, int]:
    """The value behind an equals sign, and where the next line begins."""
    blanks = BLANKS.match(text, after_equals)
    position = blanks.end() if blanks else after_equals
    quote = text[position : position + 1]
    if quote not in ("'", '"'):
        found = UNQUOTED.match(text, position)
        written = found[0] if found else ""
        end = position + len(written) + 1
        if position > after_equals and written.startswith("#"):
            return "", end
        comment = COMMENT.search(written)
        return written[: comment.start() if comment else None].rstrip(" \t"), end
    pattern, escape = (SINGLE_QUOTED, SINGLE_ESCAPE) if quote == "'" else (DOUBLE_QUOTED, DOUBLE_ESCAPE)
    quoted = pattern.match(text, position)
    if not quoted:
        raise ValueError(f"line {line}: the closing {quote} of a value is missing")
    rest = BLANK.match(text, quoted.end())
    if not rest:
        last = text.count("\n", 0, quoted.end()) + 1
        raise ValueError(f"line {last}: there is text after the closing {quote}; only a comment may follow")
    return escape.sub(lambda match: ESCAPED.get(match[1], match[1]), quoted[1]), rest.end()


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: there are bytes that are not UTF-8") from None
    text = text.replace("\r\n", "\n")
    for character, name in (("\0", "NUL character"), ("\r", "carriage return within the line")):
        if character in text:
            line = text.count("\n", 0, text.index(character)) + 1
            raise ValueError(f"line {line}: there is a {name}")
    return text
