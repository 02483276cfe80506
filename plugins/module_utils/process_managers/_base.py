# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs the slots, as the rollout sees it: the servers of all stacks have the same few verbs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Instance:
    """One slot of one app under one server.

    ``active``: it runs or is starting; ``ready``: the server says that it takes requests; ``failing``: it ended by itself since
    it was started; ``enabled``: it is started at boot; ``pid``: its main process, 0 if there is none; ``asleep``: active and
    ready, but without a process until the next request.
    """

    active: bool = False
    ready: bool = False
    failing: bool = False
    enabled: bool = False
    pid: int = 0
    asleep: bool = False


class Server(ABC):
    """A server that runs slots. ``name`` is always that of an instance, see ``Layout.instance``."""

    @abstractmethod
    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        """The states of many instances in one go. One that does not exist is there, and inactive."""

    @abstractmethod
    def check(self) -> None:
        """See whether an instance could be started on this host.

        :raises StackError: it could not; nothing has been touched
        """

    @abstractmethod
    def start(self, app: dict[str, Any], slot: str) -> None:
        """Begin to start an instance, without waiting for it."""

    @abstractmethod
    def stop(self, app: dict[str, Any], slot: str, timeout: float) -> None:
        """Stop an instance and wait until it has ended; after ``timeout`` seconds what is left of it is killed."""

    @abstractmethod
    def enable(self, app: dict[str, Any], slot: str, enabled: bool) -> None:
        """Have an instance started at boot, or not. What runs goes on."""

    @abstractmethod
    def log(self, app: dict[str, Any], slot: str, since: float) -> str:
        """What an instance's processes wrote since a moment, in seconds since the epoch."""
