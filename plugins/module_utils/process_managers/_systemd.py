# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots as systemd units: one template unit for each slot, one instance for each app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, ProcessManager

PROPERTIES = ("ActiveState", "SubState", "UnitFileState", "NRestarts", "MainPID")


class Units(ProcessManager):
    """The slots of the stack ``uwsgi``."""

    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        units = {name: f"{name}.service" for name in names}
        found = unit_states(units.values())
        return {name: found[unit] for name, unit in units.items()}

    def check(self) -> None:
        pass  # systemd always runs

    def start(self, app: App, slot: str) -> None:
        unit = _layout.of(app).unit(slot)
        run(["systemctl", "reset-failed", unit])  # resets NRestarts, see ``parse``
        run(["systemctl", "start", "--no-block", unit])

    def stop(self, layout: _layout.Layout, slot: str, timeout: float) -> None:
        unit = layout.unit(slot)
        if run(["systemctl", "stop", unit], timeout=timeout).code == 124:
            run(["systemctl", "kill", "--signal", "KILL", unit])
            run(["systemctl", "stop", unit], timeout=10)
        run(["systemctl", "reset-failed", unit])

    def enable(self, app: App, slot: str) -> None:
        run(["systemctl", "enable", "--quiet", _layout.of(app).unit(slot)])

    def disable(self, layout: _layout.Layout, slot: str) -> None:
        run(["systemctl", "disable", "--quiet", layout.unit(slot)])

    def log(self, layout: _layout.Layout, slot: str, since: float) -> str:
        return _systemd.journal([_systemd.written_by(layout.unit(slot))], since)


def unit_states(units: Iterable[str]) -> dict[str, Instance]:
    """The states of many units by one call of systemctl. A unit that does not exist is there, and inactive."""
    units = list(units)
    found = _systemd.show(units, PROPERTIES)
    return {unit: instance(found.get(unit, {})) for unit in units}


def instance(properties: Mapping[str, str]) -> Instance:
    """The state of a slot from its unit's properties. Pure."""
    state = properties.get("ActiveState")
    return Instance(
        active=state in ("active", "activating", "reloading", "deactivating"),
        ready=state in ("active", "reloading"),
        failing=properties.get("SubState") in ("auto-restart", "failed") or properties.get("NRestarts", "0") not in ("0", ""),
        enabled=properties.get("UnitFileState") == "enabled",
        pid=int(properties.get("MainPID") or 0),
    )
