# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""nginx's messages, as it prints them and writes them to its error logs: the only place that parses them. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FATAL = ("emerg", "alert", "crit")
"""The levels of what keeps nginx from starting, or from loading a configuration."""

# nginx writes the same line with the time before its configuration names a log, and with its own name before it.
LINE = re.compile(
    r"(?:nginx:|(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)) \[(emerg|alert|crit|error|warn|notice|info|debug)\] "
    r"(?:\d+#\d+: )?(\*\d+ )?(.*)",
    re.DOTALL,
)
CONTEXT = re.compile(r", (?:client|server|request|upstream|host|referrer|subrequest): .*", re.DOTALL)

LONGEST = 2048
"""Bytes of a message with its line end at most; what is longer is cut (NGX_MAX_ERROR_STR in src/core/ngx_log.h of nginx)."""

BREAK = re.compile("%0a", re.IGNORECASE)
SEVERAL_LINES = re.compile(r', request: ".*%0a', re.IGNORECASE)
"""The end of a message that may contain line breaks: nginx shows the decoded path, and then the request as it was sent."""


@dataclass(frozen=True)
class Message:
    """One line of an error log, or one that nginx printed.

    :ivar written: the local time, as ``2026/11/20 12:59:08``; "" if nginx printed it
    :ivar level: ``emerg``, ``alert``, ``crit``, ``error``, ``warn``, ``notice``, ``info`` or ``debug``
    :ivar text: what happened, without process, connection and context
    :ivar visitor: whether it is about a connection, so that parts of the text may be a visitor's
    :ivar context: the request that it is about, as ``, client: 192.0.2.1, server: shop.example.com, request: "GET / HTTP/1.1"``;
        "" if the text leaves room for doubt
    """

    written: str
    level: str
    text: str
    context: str = ""
    visitor: bool = False

    @property
    def seconds(self) -> float:
        """When it was written, in seconds since the epoch; 0 if that is not known."""
        try:
            return time.mktime(time.strptime(self.written, "%Y/%m/%d %H:%M:%S"))
        except (ValueError, OverflowError):
            return 0.0

    @property
    def server(self) -> str:
        """The first name of the server block that the request came to, "" if there is none."""
        found = re.search(r", server: ([^,]*),", self.context)
        return found[1] if found else ""


def read(log: str) -> Iterator[Message]:
    """All messages in a text, in its order. Other lines are skipped.

    :param log: bytes that are no UTF-8 are in it as surrogates, since the length of a message tells whether it was cut
    """
    lines = log.split("\n")
    place = 0
    while place < len(lines):
        count = _count(lines, place)
        match = LINE.fullmatch("\n".join(lines[place : place + count]))
        place += count
        if match:
            written, level, connection, text = match.groups("")
            context = CONTEXT.search(text)
            end = context.start() if context else len(text)
            plain = text.count(", client: ") < 2  # else one of them is a visitor's
            yield Message(written, level, text[:end], text[end:] if plain else "", bool(connection))


def _count(lines: Sequence[str], place: int) -> int:
    """How many lines the message takes that begins in a line, so that no part of it is taken for another message.

    A visitor can ask for a path with line breaks and whatever looks like a message. Then the last line of the message contains
    the request as it was sent, with ``%0A``; or the message was cut, and has the length of those that are.
    """
    match = LINE.fullmatch(lines[place])
    if match is None or not match[3]:
        return 1
    several = match[4].startswith("FastCGI sent in stderr: ")  # what the app wrote
    count, size = 1, 0
    for number, line in enumerate(lines[place : place + LONGEST], 1):
        size += len(line.encode("utf-8", "surrogateescape")) + 1
        if size > LONGEST:
            break
        breaks = 2 * len(BREAK.findall(line)) if SEVERAL_LINES.search(line) else 0  # a path may be in a message twice
        if number > 1 and (size == LONGEST or number - 1 <= breaks or (several and CONTEXT.search(line))):
            count = number
            if several:
                break
    return count


def first_error(output: str) -> str:
    """The error that a test of the configuration stopped at, "" if there is none."""
    return next((message.text for message in read(output) if message.level in FATAL), "")


def last_error(log: str) -> str:
    """The cause of the last failed start or reload in a log, "" if there is none."""
    # After five attempts to bind an address nginx says "still could not bind()" and no longer names the address.
    errors = (message.text for message in read(log) if message.level in FATAL and not message.visitor)
    found = [text for text in errors if not text.startswith("still could not bind")]
    return found[-1] if found else ""


def about_request(log: str, host: str, path: str, since: float = 0) -> str:
    """The last message about a GET request, "" if there is none.

    :param host: the host that was requested, without a port
    :param since: seconds since the epoch; messages from before are not meant
    """
    found = ""
    for message in read(log):
        if message.seconds >= since and f'host: "{host}' in message.context and f'request: "GET {path} ' in message.context:
            found = message.text
    return found
