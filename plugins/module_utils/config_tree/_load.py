# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Load a tree: by a systemd unit or by programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _reload
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import last_error

STAYS = "the files are written, and the next run loads them"


@dataclass(frozen=True)
class UnitState:
    """The state of a systemd unit.

    :ivar pid: its main process, 0 if it does not run
    """

    active: bool
    disabled: bool
    pid: int


class Loader:
    """What loads a tree.

    :param name: the name of the tree, for errors
    :param service: the systemd unit, None for none
    :param commands: argument vectors of programs
    """

    def __init__(self, name: str, service: str | None, commands: Sequence[Sequence[str]]):
        self.name = name
        self.service = service
        self.commands = commands

    def __bool__(self) -> bool:
        return bool(self.service or self.commands)

    @property
    def stopped(self) -> bool:
        """Whether there is a unit and it does not run."""
        return self.service is not None and not self._state(self.service).active

    @property
    def listener(self) -> int:
        """The process that listens at addresses of the tree: the unit's, 0 if it does not run; systemd if there is no unit."""
        return self._state(self.service).pid if self.service else 1

    @property
    def due(self) -> bool:
        """Whether the unit has to be started or enabled, whatever the files are."""
        if self.service is None:
            return False
        state = self._state(self.service)
        return not state.active or state.disabled

    def load(self) -> None:
        """Run the programs; enable the unit, and reload or start it.

        :raises StackError: that failed
        """
        for argv in self.commands:
            self._run(argv)
        if self.service:
            self._reload(self.service)

    def _state(self, service: str) -> UnitState:
        values = _systemd.properties(service, ["ActiveState", "UnitFileState", "MainPID"])
        return UnitState(
            active=values.get("ActiveState") in ("active", "reloading"),
            disabled=values.get("UnitFileState") == "disabled",
            pid=int(values.get("MainPID") or 0),
        )

    def _reload(self, service: str) -> None:
        before = self._state(service)
        if before.disabled:
            self._run(["systemctl", "enable", "--quiet", service])
        reload = _reload.Reload(before.pid) if before.active else None
        self._run(["systemctl", "reload-or-restart", service])
        if not self._state(service).active:
            raise StackError(self.name, f"{service} exited after its start, see journalctl -u {service}; {STAYS}.")
        cause = reload.cause_of_failure() if reload else ""
        if cause:
            raise StackError(self.name, f"{cause}; {STAYS}.")

    def _run(self, argv: Sequence[str]) -> None:
        ended = run(argv, timeout=300)
        if ended.code != 0:
            masked = _systemd.masked(ended.output)
            if masked:
                fix = f"run systemctl unmask {masked}, then run the play again, which loads the files"
                raise StackError(self.name, f"{masked} is masked; {fix}.", ended.output)
            cause = ended.last_line
            if self.service:  # systemctl only refers to the journal
                cause = last_error(_systemd.journal([_systemd.written_by(self.service)], lines=30)) or cause
            raise StackError(self.name, f"'{' '.join(argv)}' failed: {cause}; {STAYS}.", ended.output)
