# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The workers and timers of a release: their commands, and what has to be known to run them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

SCRIPT = "work"
"""The file of a release that runs a worker or a timer."""

KEYWORDS = frozenset(
    "! [[ { case coproc for function if select time until while cd export set source . exec trap ulimit umask".split()
)
"""What a command cannot begin with that a shell is to replace itself by."""

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")


def script(app: App, release: str) -> dict[str, str]:
    """The file that runs the workers and timers of a release, by its name; none without any. Pure.

    :param release: the release's directory
    """
    commands = {name: entry["command"] for name, entry in [*app["workers"].items(), *app["timers"].items()]}
    if not commands:
        return {}
    lines = [
        "#!/bin/sh",
        "# Runs a worker or a timer of this release: work NAME [NUMBER]",
        'export WSGI_WORKER="$1" WSGI_WORKER_NUMBER="${2:-1}"',
        "case $1 in",
        *(f"{name}) command={shlex.quote(replacing(command))} ;;" for name, command in commands.items()),
        '*) echo "this release has no worker or timer $1" >&2; exit 64 ;;',
        "esac",
        # bash, unlike dash, replaces itself by the last command, so that signals reach what runs.
        f'exec {release}/run /bin/bash -c "$command"',
        "",
    ]
    return {SCRIPT: "\n".join(lines)}


def replacing(command: str) -> str:
    """A command with ``exec``, if it is a single one: bash would stay if it has a redirection, and get the signals.

    One of several lines ends with the first that fails. Pure.
    """
    if "\n" in command:
        return f"set -e\n{command}"
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # a quote that is open, which the shell will report
        return command
    several = any(set(word) & set(";|()") or word in ("&", "&&") for word in words if not set(word) - set(";|()&<>"))
    if several or not words or words[0] in KEYWORDS or ASSIGNMENT.match(words[0]):
        return command
    return f"exec {command}"


def facts(app: App) -> dict[str, Any]:
    """What a release has to know of its workers and timers, for its ``release.json``. Pure."""
    return {"workers": app["workers"], "timers": app["timers"]}


def of(release: Mapping[str, Any], first_host: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The workers and the timers of a release that a host runs. Pure.

    :param release: its ``release.json``
    """
    workers, timers = release.get("workers", {}), release.get("timers", {})
    return (
        {name: worker for name, worker in workers.items() if first_host or not worker["single"]},
        {name: timer for name, timer in timers.items() if first_host or timer["on"] == "all"},
    )


def describe(app: App) -> str:
    """The workers and timers as a diff shows them. Pure."""
    redact = _redact.redactor()
    lines = [
        *(f"worker {name}: {redact(str(worker))}" for name, worker in app["workers"].items()),
        *(f"timer {name}: {redact(str(timer))}" for name, timer in app["timers"].items()),
    ]
    return "".join(f"{line}\n" for line in lines)


def check_schedules(app: App) -> None:
    """Make sure that this host's systemd understands the schedules, such as their time zones.

    :raises StackError: it does not
    """
    for name, timer in app["timers"].items():
        done = run(["systemd-analyze", "calendar", "--", timer["schedule"]])
        if done.code:
            cause = done.output.strip().splitlines() or ["no calendar event"]
            raise StackError(
                "timers", f"{name}: systemd on this host refuses the schedule {timer['schedule']!r}: {cause[0]}; correct it."
            )
