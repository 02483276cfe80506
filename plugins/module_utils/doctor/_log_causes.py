# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a server ended or cannot load its app, from the text of its log. Pure.

The log is the app's: what is found in it is only shown, as one line without control characters, and cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._errors import RAISED, TRACEBACK
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact

LENGTH = 240
"""Characters kept of a line."""

LINES = 2000
"""Lines at the end of a log that are read."""

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\-_])")
"""Escape sequences of terminals, see ECMA-48."""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

STARTS = re.compile(r"\*\*\* Starting uWSGI |\[INFO\] Starting gunicorn ")
"""What a server writes as it starts."""

PREFIX = re.compile(
    r"^(?:\d{4}-\d\d-\d\dT\S+ \S+ [\w.@:/-]+(?:\[\d+\])?: )?"
    r"(?:\[[^\]\n]{10,40}\] \[\d+\] |\w{3} \w{3} [ \d]\d [\d:]{8} \d{4} - )?(?:\[(?:ERROR|CRITICAL)\] )?"
)
"""What stands before a message: the time, host and process of the journal, of gunicorn and of uWSGI."""

EXCEPTION = re.compile(
    r"(?P<name>(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception|NotFound|DoesNotExist|ImproperlyConfigured|AppRegistryNotReady))"
    r"(?:: (?P<said>.*))?"
)
NOT_A_CAUSE = re.compile(
    r"(?:HaltServer|SystemExit|BrokenPipeError|ConnectionResetError|ConnectionAbortedError|OSError: write error)"
)


@dataclass(frozen=True)
class LogCause:
    """A line that says why.

    :ivar kind: which of ``PATTERNS`` it is, or ``exception``
    :ivar text: the line, cut
    :ivar subject: the module, path, address or name that it is about
    """

    kind: str
    text: str
    subject: str = ""


PATTERNS = (
    ("log_directory", re.compile(r"'(?P<subject>/[^']{1,200})' isn't writable \[FileNotFoundError")),
    ("permission", re.compile(r"'(?P<subject>/[^']{1,200})' isn't writable \[PermissionError")),
    ("pid_file", re.compile(r"Already running on PID \d+ \(or pid file '(?P<subject>[^']{1,200})' is stale\)")),
    ("no_plugin", re.compile(r"unavailable modifier requested: 0")),
    ("no_socket", re.compile(r"The -s/--socket option is missing|option '--http' is ambiguous")),
    ("module", re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?(?P<subject>[\w.]+)'?")),
    ("service", re.compile(r"Error 111 connecting to (?P<subject>[\w.-]{1,80}:\d+)")),
    ("name", re.compile(r"could not translate host name \"(?P<subject>[\w.-]{1,80})\" to address")),
    ("name", re.compile(r"Error -[235] connecting to (?P<subject>[\w.-]{1,80}):")),
    ("name", re.compile(r"gaierror: \[Errno -[235]\]")),
    (
        "service",
        re.compile(
            r"ConnectionRefusedError: \[Errno 111\]|Can't connect to (?:local )?(?:MySQL|server)"
            r"|connection to server (?:at|on) .{1,200} failed: (?:Connection refused|No such file)"
        ),
    ),
    (
        "database",
        re.compile(
            r"FATAL:  ?(?:password authentication failed for user|role|database) \"(?P<subject>[\w.-]{1,80})\""
            r"|Access denied for user '|Unknown database '"
        ),
    ),
    ("table", re.compile(r"(?:no such table: |relation \")(?P<subject>[\w.]{1,80})(?:\" does not exist|$)")),
    ("table", re.compile(r"Table '(?P<subject>[\w.]{1,80})' doesn't exist")),
    ("interface", re.compile(r"TypeError: .{0,200}missing 1 required positional argument: '(?P<subject>send|start_response)'")),
    ("module", re.compile(r"Error loading ASGI app\. Could not import module \"(?P<subject>[\w.]+)\"")),
    ("attribute", re.compile(r"Error loading ASGI app\. Attribute \"(?P<subject>\w+)\" not found in module")),
    ("attribute", re.compile(r"Cannot load application from '[\w.]{1,100}:(?P<subject>\w+)', application not found")),
    (
        "factory",
        re.compile(r"TypeError: (?P<subject>(?:create|make|get)_\w{1,60})\(\) takes 0 positional arguments but \d were given"),
    ),
    ("variable", re.compile(r"KeyError: '(?P<subject>[A-Z][A-Z0-9_]{2,60})'")),
    ("address", re.compile(r"Connection in use: (?P<subject>\(?[^\n]{1,80})")),
    ("address", re.compile(r"probably another instance of uWSGI is running on the same address \((?P<subject>[^)]*)\)")),
    ("address", re.compile(r"(?:bind\(\): |OSError: \[Errno 98\] )Address already in use")),
    ("attribute", re.compile(r"Failed to find attribute '(?P<subject>\w+)' in '[\w.:]+'")),
    ("permission", re.compile(r"(?:PermissionError: \[Errno 13\] |\[Errno 13\] )Permission denied(?:: '(?P<subject>[^']*)')?")),
    (
        "permission",
        re.compile(r"(?:bind|unlink|chdir|open|chown|fopen|stat)\(\)?:? ?\"?(?P<subject>/[^\"\s]*)?\"?:? ?Permission denied"),
    ),
    ("directory", re.compile(r"bind\(\): No such file or directory")),
    ("chdir", re.compile(r"chdir\(\): No such file or directory")),
    ("missing", re.compile(r"(?:FileNotFoundError: \[Errno 2\] )No such file or directory: '(?P<subject>[^']*)'")),
    ("command", re.compile(r"(?P<subject>\S{1,200}): (?:command not found|not found|No such file or directory)$")),
    ("option", re.compile(r"gunicorn: error: (?P<subject>.{1,120})")),
    (
        "option",
        re.compile(
            r"(?:unknown config directive: |invalid option -- |unrecognized (?:option|arguments):? )(?P<subject>\S{1,80})"
        ),
    ),
    ("option", re.compile(r"Error: (?P<subject>(?:class uri|No application module|config file|.{0,60} doesn't exist).{0,100})")),
    ("backlog", re.compile(r"Listen queue size is greater than the system max net\.core\.somaxconn \((?P<subject>\d+)\)")),
    ("plugin", re.compile(r"UNABLE to load uWSGI plugin: (?P<subject>[^\s:]+)")),
    ("space", re.compile(r"No space left on device")),
    ("user", re.compile(r"unable to find (?:user|group) (?P<subject>\S+)")),
    ("config", re.compile(r"unable to load configuration from (?P<subject>\S+)")),
    ("tyrant", re.compile(r"\[emperor-tyrant\] invalid permissions for vassal (?P<subject>\S+)")),
    ("syntax", re.compile(r"SyntaxError: .{1,150}|IndentationError: .{1,150}")),
)
WEAK = (
    (
        "import",
        re.compile(r"unable to load app \d+ .*import error|no python application found|no app loaded\. (?:going|GAME OVER)"),
    ),
    ("boot", re.compile(r"Worker failed to boot")),
)
"""What follows from a cause that should have been logged before it."""


def cleaned(text: str) -> str:
    """The end of a log without escape sequences and control characters, but for line breaks and tabs."""
    return CONTROL.sub("?", ESCAPES.sub("", text.replace("\r\n", "\n")))


def of_this_run(text: str) -> str:
    """What a log has from the last start of the server on, all of it if that is not in it."""
    starts = list(STARTS.finditer(text))
    return text[starts[-1].start() :] if starts else text


def of_run_before(text: str) -> str:
    """What a log has from the last start but one of the server to the last one, "" if that is not in it."""
    starts = list(STARTS.finditer(text))
    return text[starts[-2].start() : starts[-1].start()] if len(starts) > 1 else ""


def last_cause(text: str) -> LogCause | None:
    """The last line of a log that says why a server ended or cannot load its app, None without one.

    :param text: see ``cleaned``
    """
    lines = [PREFIX.sub("", line, count=1)[: 4 * LENGTH] for line in text.splitlines()[-LINES:]]
    for patterns, exceptions in ((PATTERNS, True), (WEAK, False)):
        for index, line in reversed(list(enumerate(lines))):
            if NOT_A_CAUSE.search(line):
                continue
            for kind, pattern in patterns:
                match = pattern.search(line)
                if match:
                    subject = match.groupdict().get("subject") or ""
                    return LogCause(kind, _cut(line), subject[:LENGTH])
            match = EXCEPTION.fullmatch(line.strip()) if exceptions else None
            if match:
                return LogCause("exception", _cut(line), match["name"])
            if exceptions and RAISED.match(line) and _ends_traceback(lines, index):
                return LogCause("exception", _cut(line), line.partition(":")[0])
    return None


def _ends_traceback(lines: Sequence[str], index: int) -> bool:
    """Whether a line is the exception of a traceback, whatever its class is called."""
    above = index - 1
    while above >= 0 and lines[above][:1].isspace():
        above -= 1
    return 0 <= above < index - 1 and lines[above] == TRACEBACK


def _cut(line: str) -> str:
    line = _redact.redactor()(" ".join(line.split()))
    return line if len(line) <= LENGTH else f"{line[: LENGTH - 1]}…"
