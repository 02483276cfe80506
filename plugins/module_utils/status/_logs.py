# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The last lines of everything that an app writes: its server, its workers and jobs, and nginx's errors about it."""

from __future__ import annotations

import pwd
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _paths
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _worker_state, _worker_units

LINE_BYTES = 500
"""Bytes that are read of a log for each line that is wanted."""


def logs(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Read the logs of some apps.

    :param wanted: the module's parameters
    :raises InventoryError: no line is wanted
    :raises StackError: an app belongs to another list
    """
    if wanted["lines"] < 1:
        raise InventoryError(f"lines: {wanted['lines']} is too few; set it to 1 or more.")
    _record.load().refuse_foreign((app["name"] for app in wanted["apps"]), wanted["list"])
    _systemd.sync_journal()
    found = {
        app["name"]: [
            {"source": source, "lines": _display.plain(text).splitlines()[-wanted["lines"] :]}
            for source, text in _sources(app, wanted["lines"])
            if text.strip()
        ]
        for app in wanted["apps"]
    }
    return {"changed": False, "logs": found, "report": report(found)}


def report(found: Mapping[str, Any]) -> list[str]:
    """The logs as the lines of one text, as ``tail`` shows several files. Pure."""
    lines = []
    for app, sources in found.items():
        for source in sources:
            lines += [f"==> {source['source']} <==", *source["lines"], ""]
        if not sources:
            lines += [f"app {app} has written nothing.", ""]
    return lines


def _sources(app: App, lines: int) -> Iterator[tuple[str, str]]:
    """What writes for an app, and the end of what it wrote."""
    layout = _layout.of(app)

    def journal(*fields: str) -> str:
        return _systemd.journal(fields, lines=lines, dated=True, sync=False)

    def of_units(*units: str) -> str:
        # What they wrote, and what systemd did to them.
        return journal(*(_systemd.written_by(unit) for unit in units), "+", "_PID=1", *(f"UNIT={unit}" for unit in units))

    for slot in _layout.SLOTS:
        yield layout.unit(slot), of_units(layout.unit(slot))
        with_user = [f"SYSLOG_IDENTIFIER={layout.instance(slot)}", *_user(layout.name)]
        yield f"{layout.instance(slot)} of the Emperor", journal(_systemd.written_by(_layout.EMPEROR), *with_user)
        for stream in ("stdout", "stderr"):
            path = layout.program_log(slot, stream)
            yield path, _untrusted.tail(path, lines * LINE_BYTES)
        release = _worker_state.release_of(layout, slot)
        for units in _worker_units.processes(layout, slot, release, True).values():
            yield " ".join(units), of_units(*units)
        for timer in release.get("timers", {}):
            job = layout.job_unit(timer, slot)
            yield job, of_units(job)
    path = _paths.log_path(app, "error")
    yield path, _untrusted.tail(path, lines * LINE_BYTES)


def _user(name: str) -> list[str]:
    """What selects the messages of an app's user: any process can write with any identifier."""
    try:
        return [f"_UID={pwd.getpwnam(name).pw_uid}"]
    except KeyError:
        return ["_UID=4294967295"]  # which no process has


STEP = Step(
    {
        "list": _record.OPTIONS["list"],
        "apps": {"type": "list", "elements": "dict", "required": True},
        "lines": {"type": "int", "default": 50},
    },
    logs,
)
