# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The shell commands of a user, one after the other: what they printed, and what is told of the one that failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

LOG_LINES = 200
"""Lines of a command's output that are kept, the last ones."""


def argv(command: str) -> list[str]:
    """How a command is run: one of several lines ends with the first that fails, as several commands do. Pure."""
    return ["/bin/sh", "-ec" if "\n" in command else "-c", command]


def shown(command: str) -> str:
    """A command as a message shows it: its first line. Pure."""
    first, newline, _rest = command.partition("\n")
    return f"{first} ..." if newline else first


def execute(
    step: str,
    commands: Sequence[str],
    run: Callable[[list[str]], Completed],
    redact: Callable[[str], str],
    advice: Callable[[str], str] | None = None,
) -> list[dict[str, Any]]:
    """Run commands one after the other, each with a shell of its own.

    :param step: the key that they are from
    :param run: runs a program with its arguments
    :param redact: takes out of a text what is secret
    :param advice: what to do about the line that names the cause; "" if only that can say it
    :returns: of each, ``command``, ``code``, ``seconds`` and ``output``, lines
    :raises StackError: the first that did not end with the exit code 0; those after it are not run
    """
    done: list[dict[str, Any]] = []
    for place, command in enumerate(commands, 1):
        began = time.monotonic()
        BOARD.does(f"runs {shown(redact(command))}" + _place(place, len(commands)))
        completed = run(argv(command))
        output = redact(completed.output).splitlines()[-LOG_LINES:]
        seconds = round(time.monotonic() - began, 1)
        done.append({"command": redact(command), "code": completed.code, "seconds": seconds, "output": output})
        if completed.code:
            log = "\n".join(line for entry in done for line in (f"$ {entry['command']}", *entry["output"]))
            raise StackError(step, _cause(place, len(commands), redact(command), completed, output, advice), log)
    return done


def _place(place: int, total: int) -> str:
    return f" ({place} of {total})" if total > 1 else ""


def _cause(
    place: int, total: int, command: str, completed: Completed, output: list[str], advice: Callable[[str], str] | None
) -> str:
    which = _place(place, total)
    end = f"ended with exit code {completed.code}" if completed.code > 0 else f"was killed by signal {-completed.code}"
    cause = decisive_line("\n".join(output)) or "it printed nothing"
    fix = (advice and advice(cause)) or "fix that"
    again = ", which starts again at the first command" if total > 1 else ""
    return f"{shown(command)}{which} {end}: {cause}; {fix} and run the play again{again}. The running release is unchanged."
