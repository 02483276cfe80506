# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""A client of supervisord's XML-RPC interface over its unix socket (http://supervisord.org/api.html)."""

from __future__ import annotations

import base64
import configparser
import http.client
import socket
import threading
import xmlrpc.client
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _supervisor_files
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._supervisor_files import Interface

TIMEOUT = 10
"""Seconds that supervisord has for an answer."""

# Codes of faults; source: class Faults in supervisor/xmlrpc.py.
SHUTDOWN_STATE, BAD_NAME, CANT_REREAD = 6, 10, 92


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, interface: Interface):
        token = base64.b64encode(interface.credentials.encode()).decode()
        super().__init__(headers=[("Authorization", f"Basic {token}")] if token else [])
        self.interface = interface

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = self._connection[1] or _UnixConnection(self.interface.path)
        self._connection = host, connection
        return connection


_lock = threading.Lock()
_proxies: dict[Interface, xmlrpc.client.ServerProxy] = {}
"""One connection to each supervisord, open as long as the module runs.

supervisord polls the descriptor of a connection that was closed once more. If it has started a program meanwhile, that number
can be the program's stdin, which makes poll(2) return at once: supervisord then takes a whole processor until the program ends.
"""


def interface() -> Interface:
    """How to reach the supervisord of this host.

    :raises StackError: its configuration is missing, wrong, or has no unix socket
    """
    path = _supervisor_files.CONFIGURATION
    try:
        with open(path, encoding="utf-8") as stream:
            found = _supervisor_files.interface(stream.read())
    except (OSError, configparser.Error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise StackError("supervisor", f"{path} cannot be read: {reason}; fix it.") from None
    if found is None:
        raise StackError("supervisor", f"{path} has no [unix_http_server] with a file, which is needed to add programs; add it.")
    return found


def call(method: str, *arguments: Any, at: Interface | None = None) -> Any:
    """Call a method of supervisord.

    :param at: another one than that of ``_supervisor_files.CONFIGURATION``
    :raises OSError: no supervisord listens
    :raises xmlrpc.client.Fault: it did not do it
    :raises StackError: it refuses the username and password
    """
    where = at or interface()
    try:
        with _lock:
            if where not in _proxies:
                _proxies[where] = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_UnixTransport(where))
            return getattr(_proxies[where].supervisor, method)(*arguments)
    except xmlrpc.client.ProtocolError as error:
        raise StackError(
            "supervisor",
            f"supervisord answers {error.errcode} {error.errmsg};"
            f" correct the username and password in {_supervisor_files.CONFIGURATION}.",
        ) from None
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from None


def try_call(method: str, *arguments: Any) -> bool:
    """Call a method that may have nothing left to do.

    :returns: whether supervisord did it
    """
    try:
        call(method, *arguments)
    except (OSError, xmlrpc.client.Fault):
        return False
    return True


def process_info() -> dict[str, dict[str, Any]] | None:
    """What supervisord says of each of its programs, ours and those of others, by name; None if no supervisord runs."""
    try:
        return {process["name"]: process for process in call("getAllProcessInfo")}
    except OSError:
        return None
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == SHUTDOWN_STATE:
            return None
        cause = f"supervisord does not list its programs: {fault.faultString}; see journalctl -u {_layout.SUPERVISOR}."
        raise StackError("supervisor", cause) from None
