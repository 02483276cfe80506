# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Removes apps from a host.

What an app is found by (see ``_found``) is removed last, its user at the very end, so the next run completes one that was
interrupted.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Collection

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _remove as _account
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _command
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _locks, _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _orphans, _workers
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.removal._remains import Remains, look
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _run
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import MANAGERS, instances

LINGER = "/var/lib/systemd/linger"
"""The directory with an empty file for each user whose own systemd runs without a session, see loginctl(1)."""


class Retirement:
    """The removal of one app from this host.

    :param layout: the app's paths
    :param remains: what there is of it
    """

    def __init__(self, layout: _layout.Layout, remains: Remains):
        self.layout = layout
        self.remains = remains

    def run(self) -> None:
        """Stop the app, then remove everything of it.

        :raises StackError: its user still runs other processes; the app is stopped, and nothing is removed
        """
        _workers.remove(self.layout)
        if self.remains.slots:
            self._stop()
        # Their processes belong to the app's user. The files of the units are removed with their tree.
        run(["systemctl", "stop", *(f"wsgi-bind-{self.layout.name}.{kind}" for kind in ("socket", "service"))])
        if _account.there(self.layout):
            self._end_processes()
        if self.remains.certificate:
            _command.delete(self.layout.name)
        for path in self.remains.paths:
            _files.remove(path)
        if self.remains.user:
            _account.remove(self.layout)

    def _stop(self) -> None:
        """Stop the slots as a rollout does, after the requests in flight."""
        managers = [manager() for manager in MANAGERS.values()]
        for slot in self.remains.slots:
            for manager in managers:
                if manager.states([self.layout.instance(slot)])[self.layout.instance(slot)].enabled:
                    manager.disable(self.layout, slot)
        timeout = self._drain_timeout()
        for slot in self.remains.slots:
            _run.drain(self.layout, slot, managers, timeout)

    def _drain_timeout(self) -> int:
        """The longest ``drain_timeout`` of the releases that run, in seconds."""
        timeouts = [_resolve.APP["drain_timeout"][1]]
        for slot in self.remains.slots:
            with contextlib.suppress(OSError, ValueError, KeyError):
                number = _release.linked(self.layout.slot(slot))
                timeouts.append(_release.read(self.layout, int(number or 0))["drain_timeout"])
        return max(timeouts)

    def _end_processes(self) -> None:
        """End what the user's own systemd and the servers left behind run, and refuse other processes."""
        for manager in MANAGERS.values():
            manager().kill_orphans(self.layout.name, removed=True)
        try:
            uid = pwd.getpwnam(self.layout.name).pw_uid
        except KeyError:  # a run that was killed has left its group
            return
        unit = f"user@{uid}.service"
        run(["systemctl", "kill", "--signal=SIGKILL", unit])  # the app could delay its stop
        _files.remove(os.path.join(LINGER, self.layout.name))
        for action in ("stop", "reset-failed"):
            run(["systemctl", action, unit])
        theirs = sorted(pid for pid, _start in _processes.all_processes() if uid in (_orphans.uids_of(pid) or ()))
        if theirs:
            pids = " ".join(map(str, theirs))
            cause = f"user {self.layout.name} still runs processes outside its slots (pid {pids}); stop them and run again."
            raise StackError("retire", cause, run(["ps", "-o", "pid,lstart,args", "-p", ",".join(map(str, theirs))]).output)


def locked_retirement(layout: _layout.Layout, remove_shared: bool) -> None:
    """Remove an app while neither a rollout of it nor another removal runs on this host.

    :raises StackError: see ``Retirement.run``
    """
    with _locks.locked(layout.rollout_lock):
        # What another one has done meanwhile counts.
        Retirement(layout, look(layout, instances([layout]), remove_shared)).run()


def remove_empty_directories(trees: Collection[str]) -> None:
    """Remove the directories that process managers had for slots, if they are empty and belong to no package.

    :param trees: those that no app uses any more
    """
    directories = {"emperor": [_layout.VASSALS_ENABLED, _layout.VASSALS_AVAILABLE], "bind": [_layout.PROGRAM_LOGS]}
    for directory in (directory for tree in trees for directory in directories.get(tree, [])):
        if run(["dpkg-query", "--search", directory]).code:
            with contextlib.suppress(OSError):
                os.rmdir(directory)
