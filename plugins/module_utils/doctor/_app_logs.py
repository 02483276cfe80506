# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The log of an app's server, wherever it is written: the journal, files of supervisor, uWSGI and gunicorn, an Emperor's log."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_vassal, _log_causes, _logs
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd

MESSAGES = 1000
"""Messages of the journal that are read."""


@dataclass(frozen=True)
class AppLog:
    """The end of a log.

    :ivar text: without escape sequences and control characters
    :ivar where: what shows it: a path, or a command
    """

    text: str = ""
    where: str = ""


def of_files(paths: Sequence[str], running: bool) -> AppLog:
    """The first file that says why its server ended; else the first that has anything.

    :param running: the server runs, so that what was written more than a day ago says nothing
    """
    kept = [path for path in dict.fromkeys(paths) if not running or _logs.recent(path)]
    found = [AppLog(_log_causes.cleaned(_logs.tail(path)), path) for path in kept]
    found = [log for log in found if log.text.strip()]
    return next((log for log in found if _log_causes.last_cause(log.text)), next(iter(found), AppLog()))


def of_unit(unit: str, invocation: str, since: float, user: str = "") -> AppLog:
    """What a unit's processes wrote, and what systemd wrote of it, in its present or last run.

    :param invocation: its run, "" for all runs since then
    :param since: seconds since the epoch
    :param user: whose unit it is, "" for one of the system
    """
    fields = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else [_systemd.written_by(unit)]
    if user:
        fields = [f"_SYSTEMD_USER_UNIT={unit}"]
    elif invocation:  # systemd's own messages about it, such as that a process of it was killed
        fields += ["+", f"INVOCATION_ID={invocation}", "_PID=1"]
    else:
        fields += ["+", f"UNIT={unit}", "_PID=1"]
    text = _systemd.journal(fields, since, lines=MESSAGES, dated=True, sync=False)
    name = unit.removesuffix(".service")
    return AppLog(
        _log_causes.cleaned(text), f"journalctl {'_SYSTEMD_USER_UNIT=' + unit if user else '-u ' + name}" if text else ""
    )


def of_emperor(unit: str, path: str) -> AppLog:
    """What a vassal wrote into its Emperor's journal since its last start."""
    text = _systemd.journal([_systemd.written_by(unit)], time.time() - _logs.DAY, lines=MESSAGES, dated=False, sync=False)
    mine = _cause_vassal.of_vassal(_log_causes.cleaned(text), path)
    return AppLog(mine, f"journalctl -u {unit.removesuffix('.service')}" if mine else "")


def log_options(text: str) -> list[str]:
    """The log files that a uWSGI configuration names. Pure."""
    found = re.findall(
        r"^[ \t]*(?:logto2?|daemonize2?|log-master-file|req-logger|logger)[ \t]*=[ \t]*(?:file:)?(/[^\s,]+)", text, re.MULTILINE
    )
    return list(dict.fromkeys(found))
