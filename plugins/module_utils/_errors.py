# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What can go wrong: errors, and work on many apps in which each fails alone."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, TypeVar

from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD

T = TypeVar("T")
A = TypeVar("A", bound=Mapping[str, Any])


class StackError(Exception):
    """A step that failed, for one app or for the host.

    :param step: what was being done, in one word: ``source``, ``install``, ``import``, ``health``, ...
    :param cause: what is wrong and what to do, in one sentence without the app's name
    :param log: what the programs concerned printed, for the result and not for the message
    """

    def __init__(self, step: str, cause: str, log: str = ""):
        super().__init__(cause)
        self.step = step
        self.cause = cause
        self.log = log

    def result(self, app: str) -> dict[str, Any]:
        """The failure of an app as modules return it."""
        return {
            "app": app,
            "step": self.step,
            "message": f"app {app}: {self.step}: {self.cause}",
            "log": self.log.splitlines()[-200:],
        }


class InventoryError(StackError):
    """A mistake in what the user wrote.

    :param cause: one sentence for the person who wrote it: where, what is wrong with the value, and what to do
    """

    def __init__(self, cause: str):
        super().__init__("inventory", cause)


TRACEBACK = "Traceback (most recent call last):"
EXCEPTION = re.compile(r"([A-Za-z_]\w*\.)*[A-Z]\w*(Error|Exception|Exit|Interrupt)\b")
RAISED = re.compile(r"([A-Za-z_]\w*\.)*[A-Za-z_]\w*(: |:?$)")
"""What a traceback ends with: a class of any name, such as Django's ImproperlyConfigured."""

REPORTED = re.compile(
    r"\bnpm ERR!|\b(errors?|denied|refused|cannot|can't|could not|unable|failed|fatal|unknown|invalid|no such|no matching"
    r"|no solution|not found|in use)\b",
    re.IGNORECASE,
)
"""Words in a line that reports an error without an exception."""

NOISE = re.compile(
    r"\[pid: "  # a request that uWSGI answered
    r"|VACUUM"  # uWSGI removes its socket at the end
    r'|\*\*\* (Starting uWSGI|Operational MODE)|running "unix_signal:|spawned uWSGI '  # and says these as it starts
    r"|(hint|note|\[notice\]|cause: The build backend returned)\b"
    r"|.*\b([A-Za-z]*Warning|warning): |WARNING: "
    r"|For further information visit "
    r"|(\S+: )?\(?https?://\S+$|\(Background on this error at: "
)
"""Lines that never name the cause: what servers say in passing, advice, warnings, addresses of documentation."""

CONSEQUENCE = re.compile(
    r"error: subprocess-exited-with-error"  # pip
    r"|[Ee]rror: [Cc]ommand .* (returned non-zero exit status|failed with exit (code|status)) "  # setuptools
    r"|(subprocess\.)?CalledProcessError: "
    r"|.* did not run successfully\.$|.* finished with status 'error'$|exit code: \d+$|\[end of output\]|See above for output"
    r"|(ERROR: )?(Failed (to build|building wheel)|Could not build wheels|Ignored the following versions)\b"
    r"|ERROR: Could not find a version "  # a list of all versions; the next line says what is missing
    r"|npm (ERR!|error) ((code|errno|syscall|path|command|cwd) |$|A complete log of this run |.*-debug-\d+\.log$)"
    r"|gunicorn\.errors\.HaltServer: "
    r"|error: Failed to build |cause: Call to .* failed "  # uv
    r"|error: No solution found when resolving dependencies:?$|No solution found when resolving dependencies:$"
)
"""Lines that only say that something else failed, before or after them."""

LONGEST_LINE = 1000
"""Characters of a line that are looked at, and shown, at most."""

DRAWING = "\u00d7\u2500\u2502\u256d\u2570\u2574\u25b6>|+ "
"""What pip, uv and Python (for groups of exceptions) draw in front of lines."""

CONTINUED = re.compile(r":$|\d+ validation errors? for \S+$")
"""The end of a line whose message follows in the next ones, as Django's SystemCheckError and pydantic's ValidationError."""


def decisive_line(log: str) -> str:
    """The line of a log that names the cause; "" if it is empty. Pure.

    The last exception, since a traceback ends with it; else the first line with an error, since the errors after it are its
    consequences; else the last line. If the exception's message continues on the next lines, up to three of them are joined
    to it.
    """
    lines, raised = _without_frames(log)
    candidates = [at for at, line in enumerate(lines) if not CONSEQUENCE.match(line)]
    exceptions = [at for at in candidates if at in raised or EXCEPTION.match(lines[at])]
    errors = [at for at in candidates if REPORTED.search(lines[at])]
    chosen = exceptions[-1:] or errors[:1] or candidates[-1:] or list(range(len(lines)))[-1:]
    if not chosen:
        return ""
    line = lines[chosen[0]]
    if chosen[0] in exceptions and CONTINUED.search(line):
        line = " ".join([line, *lines[chosen[0] + 1 : chosen[0] + 4]])
    return line


def clipped(log: str) -> str:
    """A log with the beginnings of its lines: what searches a long one may take a time that grows with its square. Pure."""
    return "\n".join(line[:LONGEST_LINE] for line in log.split("\n"))


def _without_frames(log: str) -> tuple[list[str], set[int]]:
    """The lines of a log, stripped, without noise and the frames of tracebacks, and which of them end a traceback."""
    lines: list[str] = []
    raised: set[int] = set()
    frames: int | None = None  # the indentation of the traceback whose frames are being read
    for whole in clipped(log).splitlines():
        line = whole.strip().lstrip(DRAWING)
        indentation = len(whole) - len(whole.lstrip())
        if not line:
            continue
        if line == TRACEBACK:
            frames = indentation
            continue
        if frames is not None:
            if indentation > frames:
                continue
            frames = None
            if RAISED.match(line):
                raised.add(len(lines))
        elif NOISE.match(line):
            continue
        lines.append(line)
    return lines, raised


def from_os_error(error: OSError, step: str = "host") -> StackError:
    """An error of the operating system, with the place in our code as its log.

    Some that Python itself raises, such as a timeout of a connection, have neither a number nor a file.
    """
    cause = f"{error.strerror}: {error.filename}" if error.filename else str(error) or type(error).__name__
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return StackError(step, f"{cause}; fix that and run again.", trace)


def from_any_error(error: Exception) -> StackError:
    """Any error as one app's failure. One that no code expects comes without its text, which may quote a secret."""
    if isinstance(error, StackError):
        return error
    if isinstance(error, OSError):
        return from_os_error(error)
    name = type(error).__name__
    trace = "".join(traceback.format_tb(error.__traceback__))
    return StackError("host", f"unexpected {name}, which is a bug in wsgi.stack; report it with the log.", f"{trace}{name}")


def for_each_app(apps: Iterable[A], work: Callable[[A], T], jobs: int) -> tuple[dict[str, T], list[dict[str, Any]]]:
    """Do the same for many apps, ``jobs`` at once, each on its own.

    :returns: the result of each app that succeeded, by name, and the failures of the others
    """

    def shown(app: A) -> T:
        with BOARD.app(app["name"]):
            return work(app)

    apps = list(apps)
    BOARD.begin(len(apps))
    results: dict[str, T] = {}
    failures: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures = [(app["name"], pool.submit(shown, app)) for app in apps]
        for name, future in futures:
            try:
                results[name] = future.result()
            except Exception as error:
                failures.append(from_any_error(error).result(name))
    return results, failures


def of_all(apps: Iterable[str], work: Callable[[], object]) -> list[dict[str, Any]]:
    """Do something for many apps at once.

    :returns: the failure of each of them, if it fails
    """
    try:
        work()
    except StackError as error:
        return [error.result(app) for app in apps]
    return []
