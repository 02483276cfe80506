# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Limits of connections and open files: of nginx, of apps, and of the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _hidden
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit, _paths, _syntax

NEAR = 0.8
"""Fraction of a limit in use from which on it is nearly reached."""

DEFAULT_CONNECTIONS = 512
"""nginx's default of worker_connections, see https://nginx.org/en/docs/ngx_core_module.html."""

CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_"


@dataclass(frozen=True)
class Usage:
    """The open files of some processes.

    :ivar files: the most that one of them has
    :ivar limit: the limit of the first, 0 without one; ``most``: what it may be raised to
    """

    files: int = 0
    limit: int = 0
    most: int = 0


@dataclass(frozen=True)
class NginxLimits:
    """The limits in nginx's main configuration file.

    :ivar connections: worker_connections
    :ivar written: whether the file says so; ``files``: whether it sets worker_rlimit_nofile
    """

    connections: int = DEFAULT_CONNECTIONS
    written: bool = False
    files: bool = False


def nginx_limits(main: str) -> NginxLimits:
    """The limits in the text of nginx's main configuration file. Pure."""
    directives = list(_syntax.walk(_syntax.parse(main, _paths.MAIN)))
    connections = _syntax.first_argument(directives, "worker_connections")
    written = connections.isdigit()
    files = bool(_syntax.first_argument(directives, "worker_rlimit_nofile"))
    return NginxLimits(int(connections) if written else DEFAULT_CONNECTIONS, written, files)


def usage(groups: Mapping[str, Iterable[int]]) -> dict[str, Usage]:
    """The open files of the processes in some groups, by the group's name.

    :param groups: of nginx's workers the youngest is the first: others may still end after a reload
    """
    groups = {name: list(dict.fromkeys(pids)) for name, pids in groups.items()}
    links = _hidden.look_as_users(sorted({pid for pids in groups.values() for pid in pids}))
    found = {}
    for name, pids in groups.items():
        seen = [pid for pid in pids if pid in links]
        if seen:
            limits = open_files(_processes.text(seen[0], "limits"))
            found[name] = Usage(max(len(links[pid]["files"]) for pid in seen), *limits)
    return found


def open_files(text: str) -> tuple[int, int]:
    """The soft and the hard limit of open files in /proc/PID/limits, 0 without one. Pure."""
    match = re.search(r"^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)", text, re.MULTILINE)
    soft, hard = (int(limit) if limit.isdigit() else 0 for limit in match.groups()) if match else (0, 0)
    return soft, hard


def conntrack() -> tuple[int, int]:
    """The connections that the packet filter keeps track of, and how many there may be; zeros if it does not."""
    values = [(_untrusted.text_or_none(f"{CONNTRACK}{name}") or "").strip() for name in ("count", "max")]
    count, most = (int(value) if value.isdigit() else 0 for value in values)
    return count, most


def judge_nginx(limits: NginxLimits, workers: Usage | None) -> list[Finding]:
    """Find that nginx's workers may not have as many connections as they should, or have nearly as many. Pure."""
    if workers is None or not workers.limit:
        return []
    main = _paths.MAIN
    apply = "nginx -t && systemctl reload nginx"
    if workers.limit < limits.connections:
        message = (
            f"Each worker of nginx may have {limits.connections} connections (worker_connections), but only {workers.limit} open "
            "files: beyond that it refuses visitors."
        )
        wanted = 2 * limits.connections
        change = _edit.Edit(main, f"1i worker_rlimit_nofile {wanted};")
        if limits.files:
            change = _edit.Edit(main, f"s/worker_rlimit_nofile[^;]*;/worker_rlimit_nofile {wanted};/")
        if workers.most and wanted > workers.most:  # in a container, root may not raise it either
            what = f"Lower worker_connections in {main} to {workers.most // 2}, and set worker_rlimit_nofile to {workers.most}"
            return [Finding(WARNING, "connection_limit", message, (main,), then(what, apply))]
        return [Finding(WARNING, "connection_limit", message, (main,), _edit.applied([change]))]
    if workers.files >= NEAR * min(workers.limit, limits.connections):
        message = f"A worker of nginx has {workers.files} open files of at most {workers.limit}, "
        message += f"and may have {limits.connections} connections: it will refuse visitors soon."
        fix = (
            f"Raise worker_connections in the events block of {main}, and worker_rlimit_nofile to twice that, then run: {apply}."
        )
        return [Finding(WARNING, "connection_limit", message, (main,), fix)]
    return []


def judge_app(name: str, app: Usage | None) -> list[Finding]:
    """Find that a process of an app has nearly as many open files as it may. Pure.

    :param name: its service
    """
    if app is None or not app.limit or app.files < NEAR * app.limit:
        return []
    message = f"A process of {name} has {app.files} of at most {app.limit} open files: it will fail to answer soon."
    fix = f"Find out why it keeps so many files open; if it needs them, raise LimitNOFILE of {name} and restart it."
    return [Finding(WARNING, "open_files_limit", message, (), fix)]


def judge_conntrack(count: int, most: int) -> list[Finding]:
    """Find that the packet filter nearly has no room for new connections, which it then drops. Pure."""
    if not most or count < NEAR * most:
        return []
    message = f"The kernel keeps track of {count} of at most {most} connections (nf_conntrack): beyond that it drops new ones."
    setting = f"net.netfilter.nf_conntrack_max = {2 * most}"
    fix = f"echo '{setting}' > /etc/sysctl.d/80-conntrack.conf && sysctl -q -p /etc/sysctl.d/80-conntrack.conf"
    return [Finding(WARNING, "connection_limit", message, (), fix)]
