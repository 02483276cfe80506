# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The last errors in the logs of nginx and of apps, repeated lines once."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _messages

TAIL_BYTES = 262144
"""Bytes read from the end of a log."""

DAY = 86400  # seconds
KEPT = 5
"""Number of different lines shown of each log."""

LENGTH = 300
"""Characters kept of a line."""

LEVELS = ("warn", "error", *_messages.FATAL)

# The last line of a traceback, and what servers write when an app fails to start.
APP = re.compile(
    r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|NotFound|DoesNotExist)\b.*)"
    r"|no python application found|unable to load|unable to find|(?:^|[^!])!!! \w|\[(?:ERROR|CRITICAL)\]|No module named"
    r"|Permission denied"
    r"|Address already in use|Worker failed to boot|Failed to find attribute|Listen queue size is greater|invalid option"
    r"|No such file|No space left",
    re.MULTILINE,
)


@dataclass(frozen=True)
class LogLine:
    """A line of a log with its repetitions.

    :ivar count: number of occurrences
    :ivar last: time of the last occurrence, seconds since the epoch; 0 if unknown
    :ivar level: nginx's log level
    :ivar server: the server name in nginx's message
    """

    text: str
    count: int = 1
    last: float = 0.0
    level: str = ""
    server: str = ""

    def __str__(self) -> str:
        when = f"{_findings.moment(self.last)} " if self.last else ""
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{when}{self.text}{times}"


def nginx_errors(text: str, since: float) -> list[LogLine]:
    """The errors in the text of nginx's error log, oldest first. Pure.

    :param since: older lines are left out; seconds since the epoch
    """
    found: dict[tuple[str, str], LogLine] = {}
    for message in _messages.read(text):
        if message.level not in LEVELS or message.seconds < max(since, 1):
            continue
        key = (message.text[:LENGTH], message.server)
        count = found.pop(key).count + 1 if key in found else 1
        found[key] = LogLine(key[0], count, message.seconds, message.level, key[1])
    return list(found.values())


def app_errors(text: str) -> list[LogLine]:
    """The errors in the text of an app's log, oldest first. Pure."""
    found: dict[str, LogLine] = {}
    for line in text.splitlines():
        stripped = re.sub(r"^\S+ \S+ [\w.@-]+\[\d+\]: ", "", line)  # the prefix of journalctl -o short-iso
        if APP.search(stripped):
            message = re.sub(r"0x[0-9a-f]+|\bpid:? ?\d+|^\[?[\d-]{10}[T ][\d:,. +-]+\]? ?(?:\[\d+\] )?", "", stripped).strip()[
                :LENGTH
            ]
            count = found.pop(message).count + 1 if message in found else 1
            found[message] = LogLine(message, count)
    return list(found.values())


def shown(lines: Sequence[LogLine]) -> list[str]:
    """The last few lines as text, with credentials in URLs redacted."""
    redact = _redact.redactor()
    return [redact(str(line)) for line in lines[-KEPT:]]


def tail(path: str) -> str:
    """Read the end of a file; "" if it cannot be read."""
    return _untrusted.tail(path, TAIL_BYTES)


def recent(path: str) -> bool:
    """Whether a log was written to within the last day."""
    try:
        return os.path.getmtime(path) > time.time() - DAY
    except OSError:
        return False
