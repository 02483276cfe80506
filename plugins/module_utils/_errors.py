# SPDX-License-Identifier: GPL-3.0-or-later
"""One app's failure, which is no other app's."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, TypeVar

T = TypeVar("T")


class AppFailure(Exception):
    """A step that failed for one app.

    :param step: what was being done, in one word: ``source``, ``install``, ``import``, ``health``, ...
    :param cause: what went wrong and what to do, in a sentence without the app's name
    :param log: what the programs concerned printed, for the result and not for the message
    """

    def __init__(self, step: str, cause: str, log: str = ""):
        super().__init__(cause)
        self.step = step
        self.cause = cause
        self.log = log

    def result(self, app: str) -> dict[str, Any]:
        """The failure as modules return it."""
        return {
            "app": app,
            "step": self.step,
            "message": f"app {app}: {self.step}: {self.cause}",
            "log": self.log.splitlines()[-200:],
        }


def decisive_line(log: str) -> str:
    """The line of a log that names the cause: the last exception's, else the last one that is no request's; "" without any."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("[pid: ")]
    exceptions = [line for line in lines if re.match(r"([A-Za-z_]\w*\.)*[A-Z]\w*(Error|Exception|Exit|Interrupt)\b", line)]
    return (exceptions or lines or [""])[-1]


def of_host(error: OSError, step: str = "host") -> AppFailure:
    """An error of the operating system as a failure, with the place in our code as its log.

    One that Python itself made, such as that a connection was silent for too long, has neither a number nor a file.
    """
    told = f"{error.strerror}: {error.filename}" if error.filename else str(error) or type(error).__name__
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return AppFailure(step, f"{told}; mend that and run again.", trace)


def each(
    apps: Iterable[dict[str, Any]], work: Callable[[dict[str, Any]], T], jobs: int
) -> tuple[dict[str, T], list[dict[str, Any]]]:
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
            except AppFailure as failure:
                failures.append(failure.result(name))
            except OSError as error:
                failures.append(of_host(error).result(name))
    return results, failures
