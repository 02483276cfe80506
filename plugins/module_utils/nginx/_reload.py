# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a reload of nginx took: neither systemctl nor nginx says so."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._files import LOG_DIRECTORY
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import last_error

SERVICE = "nginx.service"

TIMEOUT = 15.0
"""Seconds. nginx tries for 2.5 s to get a port, and starts its workers within some 0.1 s otherwise."""

ERROR_LOG = f"{LOG_DIRECTORY}/error.log"


class ReloadError(Exception):
    """nginx goes on with what it has loaded; the message is one sentence."""


def reload(service: str = SERVICE) -> None:
    """Have the running nginx load what its files say, and see that it did.

    :raises ReloadError: it did not
    """
    checked = run(["nginx", "-t"], timeout=120)
    if checked.code != 0:
        raise ReloadError(
            f"nginx does not take its configuration and was not reloaded: {last_error(checked.output) or checked.last_line};"
            " fix that and run again."
        )
    reloading = Reload(_systemd.main_pid(service))
    ended = run(["systemctl", "reload", service], timeout=300)
    complaint = ended.last_line if ended.code != 0 else reloading.complaint()
    if complaint:
        raise ReloadError(f"{service} was not reloaded: {complaint}; fix that and run again.")


class Reload:
    """A reload that is about to begin.

    nginx that cannot take up a configuration (a port is taken, a log cannot be written) goes on with the old one and only
    logs it. A reload that took shows in new worker processes. Source: http://nginx.org/en/docs/control.html

    :param pid: the main process; of another program than nginx nothing is known, and nothing is waited for
    """

    def __init__(self, pid: int):
        self.pid = pid
        self.before = _children(pid)
        self.logged = _size(ERROR_LOG)

    def complaint(self) -> str | None:
        """Wait until the reload took, and say why it did not if it did not."""
        if _name(self.pid) != "nginx":
            return None
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if _children(self.pid) - self.before:
                return None
            time.sleep(0.05)
        with open(ERROR_LOG, encoding="utf-8", errors="replace") as stream:
            stream.seek(self.logged)
            cause = last_error(stream.read())
        cause = cause or f"no new worker process within {TIMEOUT:.0f} s"
        own = own_listener(cause, _sockets.listeners(), self.pid)
        if own:
            cause += f", since nginx itself listens at {own} until it has loaded a configuration without that"
            cause += "; run once without the new address, or restart nginx once"
        return f"nginx did not take up the configuration and goes on with the one before: {cause}"


def own_listener(cause: str, listeners: Iterable[_sockets.Listener], pid: int) -> str | None:
    """Where nginx itself listens already, if that is what keeps it from a port. Pure.

    It begins with its new listeners before it ends the old ones, and nobody can listen at a port of all addresses while somebody
    does at the port of one.

    :param cause: what it logged
    :param pid: its main process
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
