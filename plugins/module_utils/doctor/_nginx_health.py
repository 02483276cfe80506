# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""nginx itself: whether it runs, as what, with which configuration, and why not."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _host, _logs, _nginx_start, _occupants
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._host import Nginx
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why
from ansible_collections.wsgi.stack.plugins.module_utils.host import _nginx_process, _processes, _sockets, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _messages
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration


def judge(nginx: Nginx, configuration: Configuration, root: bool) -> list[Finding]:
    """Judge nginx.

    :param root: whether the test of its configuration ran as root
    """
    past = past_systemd(nginx)
    return [*([past] if past else []), *_host.judge_nginx(nginx, configuration, root, _why(nginx, configuration, root))]


def past_systemd(nginx: Nginx) -> Finding | None:
    """Find an nginx that runs past systemd."""
    if not nginx.pid or not nginx.installed:
        return None
    unit = _processes.unit(nginx.pid) or ""
    return _nginx_start.past_systemd(nginx.pid, nginx.unit or {}, unit, _occupants.where_started(nginx.pid))


def _why(nginx: Nginx, configuration: Configuration, root: bool) -> Why | None:
    """Why it does not start, or load its configuration."""
    if not nginx.installed or not root:
        return None
    processes = {pid for master in _nginx_process.masters() for pid in (master.pid, *_nginx_process.workers(master.pid))}
    listeners = _sockets.listeners()
    if processes and not any(set(listener.pids) & processes for listener in listeners):
        listeners = []  # who has a socket cannot be seen here
    holders = _nginx_start.holders(configuration, listeners, processes)
    cause = nginx.cause() if not nginx.passes else "" if nginx.pid else _last_start()
    return _nginx_start.why(cause, configuration, holders, bool(nginx.pid))


def _last_start() -> str:
    """Why nginx has not started last, "" if it has, or if that is not in the journal."""
    return _messages.last_error(_systemd.journal([_systemd.written_by("nginx.service")], time.time() - _logs.DAY, lines=50))


def adapted(findings: Iterable[Finding], pid: int) -> list[Finding]:
    """Findings for an nginx that runs past systemd, so that their fixes work there. Pure."""
    return [_nginx_start.adapted_finding(finding, pid) for finding in findings]
