# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The data about a socket: the target, the evidence, the verdict and the result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner, SocketSetting
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._walk import Refusal, Step

LONGEST = 107
"""Maximum length of a unix socket's path in bytes: sun_path of unix(7) has 108, with the terminating NUL."""


class Target(NamedTuple):
    """A socket to examine.

    :ivar address: ``unix:/path`` or ``host:port``
    :ivar protocol: ``uwsgi``, ``http``, or ``auto`` to detect it; with another one only the connection is tested
    :ivar uri: the path to request
    :ivar host: the host name to request it from
    :ivar statuses: accepted status codes; () accepts any below 500
    :ivar named_in: ``file:line`` of the nginx directive that names the socket, "" if none does
    :ivar scheme: that of the visitor's URL
    """

    address: str
    protocol: str = "auto"
    uri: str = "/"
    host: str = "localhost"
    statuses: tuple[int, ...] = ()
    named_in: str = ""
    scheme: str = "http"

    @property
    def path(self) -> str:
        """The path of a unix socket, "" for TCP."""
        return self.address[len("unix:") :] if self.address.startswith("unix:/") else ""


@dataclass(frozen=True)
class Evidence:
    """What was seen of a socket.

    :ivar identity: the user who connects; ``renewed``: the same user with the groups of a new process
    :ivar inside: the path as that user's process sees it, see ``_inside.walk``; ``outside``: as the host sees it
    :ivar attempts: see ``_inside.question``; {} if no connection could be tried, for the reason in ``obstacle``
    :ivar entered: why the process's namespaces could not be entered, "" if they were, or are the host's
    :ivar foreign: the server has a mount namespace of its own
    :ivar closing: unit, property and value of the systemd settings that hide the path
    :ivar alike: address of a listening socket with a similar name that nginx does not use
    :ivar alike_sure: whether that can only be the same app's
    :ivar setting: the mode and owner of the socket in the server's configuration
    :ivar protected: fs.protected_symlinks is on, see proc(5)
    :ivar setfacl: setfacl(1) is installed
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
    alike_sure: bool = False
    setting: SocketSetting | None = None
    protected: bool = True
    setfacl: bool = True
    nginx_unit: str = ""


@dataclass(frozen=True)
class Verdict:
    """The answer whether a user can use a socket.

    :ivar component: the path of the first obstacle
    :ivar refusals: all path components that deny access
    """

    code: str
    message: str
    component: str = ""
    status: int | None = None
    protocol: str = ""
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class Access:
    """The result for a socket. The module ``socket_access_info`` documents the fields."""

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
        """Whether the socket can be used."""
        return self.code == "ok"

    def result(self) -> dict[str, Any]:
        """The value that modules return."""
        return {**asdict(self), "warnings": list(self.warnings), "unseen": list(self.unseen)}
