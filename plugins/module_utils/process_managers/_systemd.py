# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots as systemd units: one template unit a slot, one instance an app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, Server

PROPERTIES = ("ActiveState", "SubState", "UnitFileState", "NRestarts", "MainPID")


class Units(Server):
    """The slots of the stack ``uwsgi``."""

    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        units = {name: f"{name}.service" for name in names}
        found = unit_states(units.values())
        return {name: found[unit] for name, unit in units.items()}

    def check(self) -> None:
        pass  # systemd is there

    def start(self, app: dict[str, Any], slot: str) -> None:
        unit = _layout.of(app).unit(slot)
        run(["systemctl", "reset-failed", unit])  # its counter of restarts begins at zero
        run(["systemctl", "start", "--no-block", unit])

    def stop(self, app: dict[str, Any], slot: str, timeout: float) -> None:
        unit = _layout.of(app).unit(slot)
        if run(["systemctl", "stop", unit], timeout=timeout).code == 124:
            run(["systemctl", "kill", "--signal", "KILL", unit])
            run(["systemctl", "stop", unit], timeout=10)
        run(["systemctl", "reset-failed", unit])

    def enable(self, app: dict[str, Any], slot: str, enabled: bool) -> None:
        run(["systemctl", "enable" if enabled else "disable", "--quiet", _layout.of(app).unit(slot)])

    def log(self, app: dict[str, Any], slot: str, since: float) -> str:
        return _systemd.journal([_systemd.written_by(_layout.of(app).unit(slot))], since)


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
