# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong: errors, and work on many apps in which each fails alone."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, TypeVar

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

    :param cause: one sentence for the person who wrote it: where, what was found, and what to do
    """

    def __init__(self, cause: str):
        super().__init__("inventory", cause)


EXCEPTION = re.compile(r"([A-Za-z_]\w*\.)*[A-Z]\w*(Error|Exception|Exit|Interrupt)\b")
COMPLAINT = re.compile(
    r"\b(errors?|denied|refused|cannot|can't|unable|failed|fatal|unknown|invalid|no such|not found|in use)\b", re.IGNORECASE
)


def decisive_line(log: str) -> str:
    """The line of a log that names the cause; "" if it is empty. Pure.

    The last exception, since a traceback ends with it; else the first complaint, since what follows it are its consequences and
    the messages of a server that cleans up; else the last line that is no request of uWSGI's.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("[pid: ")]
    exceptions = [line for line in lines if EXCEPTION.match(line)]
    complaints = [line for line in lines if COMPLAINT.search(line)]
    return (exceptions[-1:] or complaints[:1] or lines[-1:] or [""])[0]


def from_os_error(error: OSError, step: str = "host") -> StackError:
    """An error of the operating system, with the place in our code as its log.

    Some that Python itself raises, such as a timeout of a connection, have neither a number nor a file.
    """
    told = f"{error.strerror}: {error.filename}" if error.filename else str(error) or type(error).__name__
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return StackError(step, f"{told}; fix that and run again.", trace)


def for_each_app(apps: Iterable[A], work: Callable[[A], T], jobs: int) -> tuple[dict[str, T], list[dict[str, Any]]]:
    """Do the same for many apps, ``jobs`` at once, each on its own.

    :returns: the result of each app that succeeded, by name, and the failures of the others
    """
    results: dict[str, T] = {}
    failures: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures = [(app["name"], pool.submit(work, app)) for app in apps]
        for name, future in futures:
            try:
                results[name] = future.result()
            except StackError as failure:
                failures.append(failure.result(name))
            except OSError as error:
                failures.append(from_os_error(error).result(name))
    return results, failures
