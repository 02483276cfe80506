# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Slots as systemd units: one template unit for each slot, one instance for each app.

A socket unit beside each holds the slot's socket, as root, so that connections wait in its queue while the server restarts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import TIMED_OUT, Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _options
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, ProcessManager
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release

PROPERTIES = ("ActiveState", "SubState", "UnitFileState", "NRestarts", "MainPID")


class Units(ProcessManager):
    """The slots of the stack ``uwsgi``."""

    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        units = {name: (f"{name}.service", f"{name}.socket") for name in names}
        # A slot that neither runs nor starts at boot is not loaded.
        found = unit_states(_systemd.loaded(unit for both in units.values() for unit in both)) if units else {}
        states = {name: tuple(found.get(unit, instance({})) for unit in both) for name, both in units.items()}
        # The next connection to a socket starts its service.
        return {name: replace(service, active=service.active or socket.active) for name, (service, socket) in states.items()}

    def check(self) -> None:
        pass  # systemd always runs

    def start(self, app: App, slot: str) -> None:
        layout = _layout.of(app)
        unit, socket_unit = layout.unit(slot), layout.socket_unit(slot)
        _options.write(layout.unit_options(slot), unit, _options.of_unit(_release.of_slot(layout, slot)))
        run(["systemctl", "reset-failed", unit, socket_unit])  # resets NRestarts, see ``parse``
        began = time.time()
        # The service needs its socket, so the first also says what is wrong with the other.
        for argv in (["--no-block", unit], [socket_unit]):
            done = run(["systemctl", "start", *argv])
            if done.code:
                self.stop(layout, slot, 10)
                log = _systemd.journal([f"UNIT={argv[-1]}"], began)
                raise StackError("systemd", refusal(done, argv[-1], log), log)

    def stop(self, layout: _layout.Layout, slot: str, timeout: float) -> None:
        self.disable(layout, slot)
        units = [layout.recovery_unit(slot), layout.unit(slot), layout.socket_unit(slot)]
        if run(["systemctl", "stop", *units], timeout=timeout).code == TIMED_OUT:
            run(["systemctl", "kill", "--signal", "KILL", layout.unit(slot)])
            run(["systemctl", "stop", *units], timeout=10)
        run(["systemctl", "reset-failed", *units])
        _options.write(layout.unit_options(slot), layout.unit(slot), "")

    def kill_orphans(self, user: str, removed: bool = False) -> None:
        pass  # systemd does

    def enable(self, app: App, slot: str) -> None:
        unit = _layout.of(app).unit(slot)
        done = _systemd.start_at_boot([unit])
        if done.code:
            raise StackError("systemd", refusal(done, unit))

    def disable(self, layout: _layout.Layout, slot: str) -> None:
        _systemd.start_at_boot([layout.unit(slot)], wanted=False)

    def service(self, layout: _layout.Layout, slot: str) -> str:
        return layout.unit(slot)

    def log(self, layout: _layout.Layout, slot: str, since: float) -> str:
        return _systemd.journal([_systemd.written_by(layout.unit(slot))], since)


def refusal(done: Completed, unit: str, log: str = "") -> str:
    """What systemctl said when it did not do what it was told, and what to do about it. Pure.

    :param unit: what it was told to do something with
    :param log: what is in the journal about that
    """
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    said = (lines or [done.last_line])[0].rstrip(".")
    masked = _systemd.masked(said)
    if masked:
        return f"{said}; run systemctl unmask {masked}, then run the play again."
    line = decisive_line(log)
    return f"{said}{f': {line}' if line else ''}; fix that, see journalctl -u {unit}."


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
