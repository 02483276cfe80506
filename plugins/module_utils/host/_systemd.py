# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What systemd knows of units, and what is in the journal: the only reader of ``systemctl show`` and ``journalctl``."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.host._once import once

TIMEOUT = 30
"""Seconds. systemctl itself waits 25 s for an answer, see sd_bus_set_method_call_timeout(3)."""

JOURNAL = 1 << 21
"""Bytes of messages that are kept, of the beginning and of the end: an app may write as many as it likes."""

_behind = threading.Event()
"""Set if systemd has not read its files since units were enabled or disabled."""


def show(units: Iterable[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Properties of many units with one call of systemctl.

    :param units: full names, with ``.service``
    :param names: of the properties, see org.freedesktop.systemd1(5)
    :returns: each unit's properties by its ``Id``, which is not the name asked for if that is an alias; empty if systemd does not
        answer. A unit that does not exist is there, with ``LoadState=not-found``.
    """
    wanted = sorted(set(units) - {""})
    if not wanted:
        return {}
    properties = ",".join(dict.fromkeys(["Id", *names]))
    argv = ["systemctl", "show", f"--property={properties}", "--", *wanted]
    done = once(tuple(argv), lambda: run(argv, timeout=TIMEOUT))
    return parse(done.output) if done.code == 0 else {}


def loaded(patterns: Iterable[str], limit: int | None = None) -> list[str]:
    """Units that systemd has in memory: those that run, those that others want, and those that failed.

    Unlike ``show``, this does not make it read the files of the others, which takes milliseconds a unit.

    :param patterns: names of units, also with ``*``
    :param limit: bytes of the answer that are read at most
    :returns: their names; none if systemd does not answer
    """
    argv = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", "--", *sorted(set(patterns))]
    done = once(tuple(argv), lambda: run(argv, timeout=TIMEOUT, limit=limit))
    return [line.split()[0] for line in done.output.splitlines() if done.code == 0 and line.strip()]


def parse(output: str) -> dict[str, dict[str, str]]:
    """What ``systemctl show`` prints: NAME=VALUE lines, and a blank line between units. Pure."""
    blocks = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in output.split("\n\n"))
    return {block["Id"]: block for block in blocks if "Id" in block}


def properties(unit: str, names: Sequence[str]) -> dict[str, str]:
    """Properties of one unit, also by an alias of it; empty if systemd does not answer."""
    return next(iter(show([unit], names).values()), {})


def start_at_boot(units: Sequence[str], wanted: bool = True) -> Completed:
    """Enable or disable units. What runs is not touched.

    Without ``--no-reload`` systemd would read the files of all units again each time, which takes 0.3 s with a hundred apps. At a
    boot it finds the links. ``catch_up`` makes it see them before, as for a change of targets (``systemctl default``).
    """
    _behind.set()
    return run(["systemctl", "--no-reload", "--quiet", "enable" if wanted else "disable", *units])


def reload() -> None:
    """Have systemd read its files again.

    :raises StackError: it does not, as while less than 16 MiB are free on the file system of ``/run``
    """
    done = run(["systemctl", "daemon-reload"])
    if done.code:
        cause = f"systemd does not read its files again: {done.last_line.rstrip('.')}; fix that and run the play again."
        raise StackError("systemd", cause, done.output)


def masked(said: str) -> str:
    """The masked unit that a message of systemctl is about, "" if it is about none. Pure."""
    found = re.search(r"(\S+) is masked\b", said)
    return os.path.basename(found[1]) if found else ""


def catch_up() -> None:
    """Have systemd read its files again if ``start_at_boot`` changed what it starts at boot. For the end of a step.

    :raises StackError: it does not
    """
    if _behind.is_set():
        reload()
        _behind.clear()


def main_pid(unit: str) -> int:
    """The id of a service's main process, 0 if it does not run."""
    return int(properties(unit, ["MainPID"]).get("MainPID") or 0)


def is_active(unit: str) -> bool:
    """Whether a unit runs; a service that is just reloading does."""
    return properties(unit, ["ActiveState"]).get("ActiveState") in ("active", "reloading")


def unit_files(unit: str) -> str:
    """The text of a unit's file and its drop-ins, as ``systemctl cat`` prints it; not empty, but useless, if there is none."""
    return run(["systemctl", "cat", unit], timeout=TIMEOUT).output


def changed_by(unit: str) -> str:
    """A sentence, after a blank, that names the drop-ins by which others change a unit; "" if there are none."""
    paths = properties(unit, ["DropInPaths"]).get("DropInPaths", "").split()
    others = [path for path in paths if not _untrusted.is_managed(path)]
    return f" Its unit is changed by {', '.join(others)}." if others else ""


def written_by(unit: str) -> str:
    """What selects, in ``journal``, the messages that a unit's processes wrote, without systemd's own messages about the unit."""
    return f"_SYSTEMD_UNIT={unit if '.' in unit else f'{unit}.service'}"


def sync_journal() -> None:
    """Have journald write what it has received."""
    run(["journalctl", "--sync"], timeout=TIMEOUT)


def journal(
    fields: Sequence[str], since: float = 0, lines: int = 60, dated: bool = False, sync: bool = True, pattern: str = ""
) -> str:
    """The last messages in the journal that have some fields.

    :param fields: as FIELD=VALUE, see systemd.journal-fields(7) and ``written_by``
    :param since: seconds since the epoch; 0 for no limit
    :param lines: the maximum number of messages
    :param dated: put the time, host and process before each message, as ``--output short-iso`` does
    :param sync: have journald first write what it has received, which matters for messages of the last moments
    :param pattern: only messages that match this regular expression; "" for all
    :returns: "" if the journal cannot be read
    """
    if sync:
        sync_journal()
    options = ["--output", "short-iso" if dated else "cat", "--lines", str(lines)]
    if since:
        options += ["--since", f"@{int(since)}"]
    if pattern:
        options += ["--grep", pattern]
    done = run(["journalctl", "--quiet", "--no-pager", *options, *fields], timeout=TIMEOUT, limit=JOURNAL)
    return done.output if done.code == 0 else ""
