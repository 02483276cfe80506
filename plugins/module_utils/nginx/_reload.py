# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Reload nginx and see whether it loaded the configuration: neither systemctl nor nginx reports that."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import first_error, last_error
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._paths import ERROR_LOG

SERVICE = "nginx.service"

TIMEOUT = 15.0
"""Seconds. nginx tries for 2.5 s to bind an address; otherwise it starts new workers within some 0.1 s."""


def reload(service: str = SERVICE) -> None:
    """Test nginx's configuration and have the running nginx load it.

    :raises StackError: it did not, and keeps running with its previous configuration
    """
    checked = run(["nginx", "-t"], timeout=120)
    if checked.code != 0:
        cause = first_error(checked.output) or checked.last_line
        raise StackError("nginx", f"nginx rejects its configuration and was not reloaded: {cause}; fix that and run again.")
    reloading = Reload(_systemd.main_pid(service))
    ended = run(["systemctl", "reload", service], timeout=300)
    if ended.code != 0:  # systemctl only refers to the journal
        cause = last_error(_systemd.journal([_systemd.written_by(service)], lines=30)) or ended.last_line
    else:
        cause = reloading.cause_of_failure()
    if cause:
        raise StackError("nginx", f"{service} was not reloaded: {cause}; fix that and run again.")


class Reload:
    """A reload of nginx; create it before sending the signal.

    If nginx cannot apply a configuration (a port is in use, a log cannot be written) it keeps the previous one and only logs
    the error. After a successful reload there are new worker processes. Source: http://nginx.org/en/docs/control.html

    :param pid: the master process; for a program other than nginx nothing is checked
    """

    def __init__(self, pid: int):
        self.pid = pid
        self.before = _children(pid)
        self.logged = _size(ERROR_LOG)

    def cause_of_failure(self) -> str:
        """Wait until nginx has new workers, and read from its error log why it has none; "" if the reload succeeded."""
        if _name(self.pid) != "nginx":
            return ""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if _children(self.pid) - self.before:
                return ""
            time.sleep(0.05)
        with open(ERROR_LOG, encoding="utf-8", errors="surrogateescape") as stream:
            stream.seek(self.logged)
            cause = last_error(stream.read())
        cause = cause or f"it started no new worker process within {TIMEOUT:.0f} s"
        own = own_listener(cause, _sockets.listeners(), self.pid)
        if own:
            cause += f", since nginx itself listens at {own} until it has loaded a configuration without that"
            cause += "; run once without the new address, or restart nginx once"
        return f"nginx did not apply the new configuration and keeps the previous one: {cause}"


def own_listener(cause: str, listeners: Iterable[_sockets.Listener], pid: int) -> str | None:
    """The address at which nginx itself already listens, if that is why it cannot bind another one; else None. Pure.

    nginx opens new sockets before it closes old ones, and a port cannot be bound on all addresses while it is bound on one.

    :param cause: what nginx logged
    :param pid: its master process
    """
    refused = re.search(r"bind\(\) to \S+:(\d+) failed \(98:", cause)
    if refused is None:
        return None
    own = (found.address for found in listeners if pid in found.pids and not found.address.startswith("unix:"))
    return next((address for address in own if address.rpartition(":")[2] == refused[1]), None)


def _children(pid: int) -> set[str]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
            return set(stream.read().split())
    except OSError:
        return set()


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0
