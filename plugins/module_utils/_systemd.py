# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots as systemd units: one template unit a slot, one instance an app."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._process import run

PROPERTIES = ("Id", "ActiveState", "SubState", "UnitFileState", "NRestarts")


@dataclass(frozen=True)
class Unit:
    """A unit's state, in systemd's own words.

    ``active``: it runs or is starting; ``failing``: it ended by itself since it was started; ``enabled``: it is started at boot.
    """

    active: bool = False
    failing: bool = False
    enabled: bool = False


def show(names: Iterable[str]) -> dict[str, Unit]:
    """The states of many units by one call of systemctl. A unit that does not exist is there, and inactive."""
    names = list(names)
    if not names:
        return {}
    done = run(["systemctl", "show", "--property", ",".join(PROPERTIES), "--", *names])
    return (
        {name: found for name, found in parse(done.output).items() if name in names}
        if done.code == 0
        else {name: Unit() for name in names}
    )


def parse(output: str) -> dict[str, Unit]:
    """What ``systemctl show`` prints: a block of NAME=VALUE lines a unit, blank lines between."""
    units = {}
    for block in output.split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in properties:
            units[properties["Id"]] = Unit(
                active=properties.get("ActiveState") in ("active", "activating", "reloading", "deactivating"),
                failing=properties.get("SubState") in ("auto-restart", "failed")
                or properties.get("NRestarts", "0") not in ("0", ""),
                enabled=properties.get("UnitFileState") == "enabled",
            )
    return units


def start(name: str) -> None:
    """Begin to start a unit, without waiting for it, its counter of restarts at zero."""
    run(["systemctl", "reset-failed", name])
    run(["systemctl", "start", "--no-block", name])


def stop(name: str, timeout: float) -> None:
    """Stop a unit and wait until it has ended; after ``timeout`` seconds what is left of it is killed."""
    if run(["systemctl", "stop", name], timeout=timeout).code == 124:
        run(["systemctl", "kill", "--signal", "KILL", name])
        run(["systemctl", "stop", name], timeout=10)
    run(["systemctl", "reset-failed", name])


def enable(name: str, enabled: bool) -> None:
    """Have a unit started at boot, or not."""
    run(["systemctl", "enable" if enabled else "disable", "--quiet", name])


def log(name: str, since: float, lines: int = 60) -> str:
    """What a unit's processes wrote since a moment, without systemd's own words about them.

    :param since: seconds since the epoch
    """
    run(["journalctl", "--sync"])
    wanted = [f"_SYSTEMD_UNIT={name}", "--since", f"@{int(since)}", "--lines", str(lines)]
    return run(["journalctl", "--quiet", "--output", "cat", "--no-pager", *wanted]).output
