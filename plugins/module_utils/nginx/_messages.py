# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's messages, as it prints them and writes them to its error logs: the only place that parses them. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

FATAL = ("emerg", "alert", "crit")
"""The levels of what keeps nginx from starting, or from loading a configuration."""

# nginx writes the same line with the time before its configuration names a log, and with its own name before it.
LINE = re.compile(r"^(?:nginx:|(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)) \[(\w+)\] (?:\d+#\d+: )?(?:\*\d+ )?(.*)$", re.MULTILINE)
CONTEXT = re.compile(r", (?:client|server|request|upstream|host|referrer|subrequest): .*")


@dataclass(frozen=True)
class Message:
    """One line of an error log, or one that nginx printed.

    :ivar written: the local time, as ``2026/11/20 12:59:08``; "" if nginx printed it
    :ivar level: ``emerg``, ``alert``, ``crit``, ``error``, ``warn``, ``notice``, ``info`` or ``debug``
    :ivar text: what happened, without process, connection and context
    :ivar context: the request that it is about, as ``, client: 192.0.2.1, server: shop.example.com, request: "GET / HTTP/1.1"``
    """

    written: str
    level: str
    text: str
    context: str = ""

    @property
    def seconds(self) -> float:
        """When it was written, in seconds since the epoch; 0 if that is not known."""
        return time.mktime(time.strptime(self.written, "%Y/%m/%d %H:%M:%S")) if self.written else 0.0

    @property
    def server(self) -> str:
        """The first name of the server block that the request came to, "" if there is none."""
        found = re.search(r", server: ([^,]*),", self.context)
        return found[1] if found else ""


def read(log: str) -> Iterator[Message]:
    """All messages in a text, in its order. Other lines are skipped."""
    for written, level, text in LINE.findall(log):
        context = CONTEXT.search(text)
        end = context.start() if context else len(text)
        yield Message(written, level, text[:end], text[end:])


def first_error(output: str) -> str:
    """The error that a test of the configuration stopped at, "" if there is none."""
    return next((message.text for message in read(output) if message.level in FATAL), "")


def last_error(log: str) -> str:
    """The cause of the last failed start or reload in a log, "" if there is none."""
    # After five attempts to bind an address nginx says "still could not bind()" and no longer names the address.
    errors = (message.text for message in read(log) if message.level in FATAL)
    found = [text for text in errors if not text.startswith("still could not bind")]
    return found[-1] if found else ""


def about_request(log: str, host: str, path: str) -> str:
    """The last message about a GET request, "" if there is none.

    :param host: the host that was requested, without a port
    """
    found = ""
    for message in read(log):
        if f'host: "{host}' in message.context and f'request: "GET {path} ' in message.context:
            found = message.text
    return found
