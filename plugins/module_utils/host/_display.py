# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Text as it may be shown on a terminal. Pure."""

from __future__ import annotations

import re
from typing import Any

# C0, DEL and C1, line and paragraph separators, what changes the direction of text (UAX 9), and bytes that are no UTF-8.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

ESCAPE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # such as colors
    "|(?:\x1b[]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"  # such as the title of a window
    "|\x1b[ -/]*[0-~]"
)
"""Escape sequences of terminals, see ECMA-48."""

SHELL = re.compile(r"[`$;|&<>\\\n]")

SEVERAL_LINES = ("msg", "diff", "exception", "command")
"""The results that have line breaks of their own."""


def shown(value: Any, breaks: bool = False) -> Any:
    """A result with control characters in its texts replaced: ESC by ``\\x1b``, a byte 0xff that is no UTF-8 by ``\\xff``.

    :param value: of the types that JSON has
    :param breaks: whether line breaks and tabs stay; they do in the results ``SEVERAL_LINES``
    """
    if isinstance(value, str):
        return CONTROL.sub(lambda match: match[0] if breaks and match[0] in "\n\t" else _escape(ord(match[0])), value)
    if isinstance(value, dict):
        return {shown(key): shown(each, breaks or key in SEVERAL_LINES) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(each, breaks) for each in value]
    return value


def plain(text: str) -> str:
    """A text without the escape sequences of terminals, tabs, and carriage returns at the ends of lines."""
    return ESCAPE.sub("", text).replace("\r\n", "\n").expandtabs()


def inert(text: str) -> str:
    """Text for a sentence, in which a shell would find nothing to run: a path may be anything that a user likes."""
    return SHELL.sub("?", text)


def _escape(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte, see surrogateescape in PEP 383
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
