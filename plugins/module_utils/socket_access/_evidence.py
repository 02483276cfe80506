# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked about a socket, what was seen of it, and what comes of that."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner, Setting
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._walk import Refusal, Step

LONGEST = 107
"""Bytes that a path of a unix socket can have: sun_path of unix(7) has 108, with the end of the string."""


class Target(NamedTuple):
    """A socket to look at.

    :ivar address: ``unix:/path`` or ``host:port``
    :ivar protocol: ``uwsgi``, ``http``, or ``auto`` to find out; another one is not spoken, only connected to
    :ivar statuses: those that are fine; () takes any below 500
    :ivar named_in: ``file:line`` of the directive of nginx that names the socket, "" if none does
    """

    address: str
    protocol: str = "auto"
    uri: str = "/"
    host: str = "localhost"
    statuses: tuple[int, ...] = ()
    named_in: str = ""

    @property
    def path(self) -> str:
        """The path of a unix socket, "" of anything else."""
        return self.address[len("unix:") :] if self.address.startswith("unix:/") else ""


@dataclass(frozen=True)
class Evidence:
    """What was seen of a socket.

    :ivar identity: who wants in, ``renewed`` the same with the groups that a new process would get
    :ivar inside: the path as that process sees it, ``outside`` as everybody else does
    :ivar attempts: see ``_inside.question``; {} if nothing could be tried, for the reason in ``obstacle``
    :ivar entered: why the process's namespaces could not be entered, "" if they were or are not others
    :ivar foreign: the server is in another mount namespace than everybody else
    :ivar closing: properties of systemd that keep the path from being seen, and the units that have them, by property
    :ivar alike: a listening socket that nginx does not name and whose name is like this one's
    :ivar setting: what the server's configuration says of the mode of its socket
    """

    target: Target
    identity: Identity
    renewed: Identity
    inside: tuple[Step, ...] = ()
    outside: tuple[Step, ...] = ()
    attempts: dict[str, Any] = field(default_factory=dict)
    obstacle: str = ""
    entered: str = ""
    listener: Listener | None = None
    server: ListeningProcess | None = None
    owner: Owner | None = None
    foreign: bool = False
    closing: tuple[tuple[str, str, str], ...] = ()
    alike: str = ""
    setting: Setting | None = None
    protected: bool = True
    setfacl: bool = True
    nginx_unit: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a socket can be used.

    :ivar component: the path of the first thing in the way
    :ivar refusals: all components that refuse
    """

    code: str
    message: str
    component: str = ""
    status: int | None = None
    protocol: str = ""
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class Access:
    """What comes of it, see the module ``socket_access`` for each."""

    address: str
    protocol: str
    code: str
    message: str
    fix: str = ""
    permanent_fix: str = ""
    component: str = ""
    status: int | None = None
    peer: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[dict[str, str], ...] = ()
    unseen: tuple[str, ...] = ()
    named_in: str = ""

    @property
    def ok(self) -> bool:
        """Whether it can be used."""
        return self.code == "ok"

    def result(self) -> dict[str, Any]:
        """The same as modules return it."""
        return {**asdict(self), "warnings": list(self.warnings), "unseen": list(self.unseen)}
