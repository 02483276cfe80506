# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of logs that matter: the last errors of nginx and of apps, those that are alike told once."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _messages

TAIL_BYTES = 262144
"""How much of a log's end is read."""

DAY = 86400  # seconds
KEPT = 5
"""How many sorts of lines are told of each log."""

LENGTH = 300
"""Characters of a line that are kept."""

LEVELS = ("warn", "error", *_messages.FATAL)

# Lines that are no app's fault, and what to do about them.
KNOWN = (
    (
        re.compile(r"worker_connections are not enough"),
        "nginx has no free connections left, and turns visitors away",
        "raise worker_connections in the events block of /etc/nginx/nginx.conf, then: systemctl reload nginx",
    ),
    (
        re.compile(r"Too many open files"),
        "nginx may not open more files, and turns visitors away",
        "set worker_rlimit_nofile in /etc/nginx/nginx.conf to twice worker_connections, then: systemctl reload nginx",
    ),
    (
        re.compile(r"upstream sent too big header"),
        "The app sends headers larger than nginx's buffer, and visitors get 502 in their place",
        "raise uwsgi_buffer_size or proxy_buffer_size of the location to 16k, then: systemctl reload nginx",
    ),
    (
        re.compile(r"client intended to send too large body"),
        "Visitors send more than nginx takes, and get 413",
        "raise client_max_body_size of the server if that is meant to be possible, then: systemctl reload nginx",
    ),
)

# What the last line of a traceback looks like, and what servers write when an app does not start.
APP = re.compile(
    r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|NotFound|DoesNotExist)\b.*)"
    r"|no python application found|unable to load|unable to find|(?:^|[^!])!!! \w|\[(?:ERROR|CRITICAL)\]|No module named"
    r"|Permission denied"
    r"|Address already in use|Worker failed to boot|Failed to find attribute|Listen queue size is greater|invalid option"
    r"|No such file|No space left",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Line:
    """Lines that are alike.

    :ivar count: how many there were
    :ivar last: when the last one was written, seconds since the epoch; 0 if that is not known
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


def nginx_errors(text: str, since: float) -> list[Line]:
    """The errors in the text of nginx's error log, the last one last. Pure.

    :param since: what is older is left out; seconds since the epoch
    """
    found: dict[tuple[str, str], Line] = {}
    for message in _messages.read(text):
        if not message.written or message.level not in LEVELS or message.seconds < since:
            continue
        key = (message.text[:LENGTH], message.server)
        count = found.pop(key).count + 1 if key in found else 1
        found[key] = Line(key[0], count, message.seconds, message.level, key[1])
    return list(found.values())


def app_errors(text: str) -> list[Line]:
    """The lines of an app's log that say what went wrong, the last one last. Pure."""
    found: dict[str, Line] = {}
    for line in text.splitlines():
        stripped = re.sub(r"^\S+ \S+ [\w.@-]+\[\d+\]: ", "", line)  # what journalctl -o short-iso puts in front
        if APP.search(stripped):
            message = re.sub(r"0x[0-9a-f]+|\bpid:? ?\d+|^\[?[\d-]{10}[T ][\d:,. +-]+\]? ?(?:\[\d+\] )?", "", stripped).strip()[
                :LENGTH
            ]
            count = found.pop(message).count + 1 if message in found else 1
            found[message] = Line(message, count)
    return list(found.values())


def known(lines: Iterable[Line]) -> list[Finding]:
    """What lines of nginx tell that wants to be fixed. Pure."""
    lines = list(lines)
    found = []
    for pattern, message, fix in KNOWN:
        matching = [line for line in lines if pattern.search(line.text)]
        if matching:
            found.append(Finding(WARNING, "nginx_log", f"{message}.", tuple(map(str, matching[-2:])), fix))
    return found


def shown(lines: Sequence[Line]) -> list[str]:
    """The last few, as lines to show, without the credentials in their URLs."""
    redact = _redact.redactor()
    return [redact(str(line)) for line in lines[-KEPT:]]


def tail(path: str) -> str:
    """The end of a file, "" if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def recent(path: str) -> bool:
    """Whether a log was written to within a day."""
    try:
        return os.path.getmtime(path) > time.time() - DAY
    except OSError:
        return False
