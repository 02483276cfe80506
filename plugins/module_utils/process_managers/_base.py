# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What starts and stops slots: the process managers of all stacks have the same few methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._layout import Layout


@dataclass(frozen=True)
class Instance:
    """One slot of one app under one process manager.

    :ivar active: it runs or is starting
    :ivar ready: the process manager says that it accepts requests
    :ivar failing: it exited by itself since it was started
    :ivar enabled: it is started at boot
    :ivar pid: its main process, 0 if there is none
    :ivar waiting: active and ready, but without a process until the next request
    """

    active: bool = False
    ready: bool = False
    failing: bool = False
    enabled: bool = False
    pid: int = 0
    waiting: bool = False


class ProcessManager(ABC):
    """What runs the slots of one stack. ``name`` is always that of an instance, see ``Layout.instance``.

    What needs a release takes a resolved app; what has to work for an app that is in no inventory any more takes its paths.
    """

    @abstractmethod
    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        """The states of many instances in one call. One that does not exist is included, and inactive."""

    @abstractmethod
    def check(self) -> None:
        """Check whether an instance could be started on this host.

        :raises StackError: it could not; nothing has been touched
        """

    @abstractmethod
    def start(self, app: App, slot: str) -> None:
        """Start an instance, without waiting until it is ready.

        :raises StackError: the process manager refuses it; nothing of it is left
        """

    @abstractmethod
    def stop(self, layout: Layout, slot: str, timeout: float) -> None:
        """Stop an instance and wait until it has exited; after ``timeout`` seconds what is left of it is killed."""

    @abstractmethod
    def kill_orphans(self, user: str, removed: bool = False) -> None:
        """Kill the processes of an app's user that no instance of the process manager has started; ``stop`` does so, too.

        :param removed: none of the app's instances runs any more
        """

    @abstractmethod
    def enable(self, app: App, slot: str) -> None:
        """Have an instance started at boot. A running one is not touched."""

    @abstractmethod
    def disable(self, layout: Layout, slot: str) -> None:
        """Have an instance no longer started at boot. A running one goes on."""

    @abstractmethod
    def service(self, layout: Layout, slot: str) -> str:
        """The unit of systemd that an instance's processes run in."""

    @abstractmethod
    def log(self, layout: Layout, slot: str, since: float) -> str:
        """What an instance's processes wrote since a moment, in seconds since the epoch."""
