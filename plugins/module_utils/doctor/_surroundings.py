# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What an expert also looks at: renewal, packet filters, IPv6, open ports, memory, limits, the clock. Each check fails alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Callable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _clock,
    _dns_ipv6,
    _limits,
    _memory,
    _neighbours,
    _open_ports,
    _packet_filters,
    _result,
    _standalone,
    _units,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._attempts import Attempts
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host import _nginx_process, _processes, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _paths
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration

NGINX = "nginx"
"""The name of nginx's workers among the groups of processes."""


@dataclass(frozen=True)
class Surroundings:
    """What is known of a host when these checks begin.

    :ivar backends: see ``_backends.look``
    :ivar nginx: the main process of nginx, 0 if it does not run
    :ivar own: the IP addresses of this host
    :ivar reference: the time by the controller's clock, in seconds since the epoch, 0 if unknown
    """

    configuration: Configuration
    sites: Sequence[Site]
    backends: Mapping[tuple[str, str], Backend]
    nginx: int
    own: set[str]
    reference: float = 0.0


def examine(seen: Surroundings) -> list[Finding]:
    """Make these checks, and add what is found about a site to it.

    :returns: the findings about the host
    """
    attempts = Attempts()
    checks: dict[str, Callable[[Surroundings], list[Finding]]] = {
        "The clock": _clocks,
        "Packet filters and open ports": _filters,
        "AAAA records": _addresses,
        "The renewal of certificates by standalone": _renewals,
        "Memory": _memories,
        "Limits of connections and files": _limited,
        "Sockets of other apps": _neighbourly,
    }
    found = [attempts.make(what, partial(check, seen)) or [] for what, check in checks.items()]
    return [*(finding for findings in found for finding in findings), *attempts.failed]


def _clocks(seen: Surroundings) -> list[Finding]:
    return _clock.judge(_clock.look(), seen.reference)


def _filters(seen: Surroundings) -> list[Finding]:
    """Packet filters, and ports that they do not keep strangers from."""
    filters = _packet_filters.look()
    workers = _nginx_process.workers(seen.nginx) if seen.nginx else []
    described = _processes.described(workers[0]) if workers else None
    uid = described.uid if described else -1
    for site in seen.sites:
        for backend in _result.backends_of(site, seen.backends):
            if not backend.served:  # it would be the cause of what was found so far
                site.findings[:0] = _packet_filters.judge_app(filters, backend.address, uid)
            site.findings += _exposed(backend, seen, filters)
    return []


def _exposed(backend: Backend, seen: Surroundings, filters: _packet_filters.PacketFilters) -> list[Finding]:
    if backend.listener is None:
        return []
    server = backend.server
    own = {listen.port for block in seen.configuration.servers for listen in block.listens}
    port = backend.listener.address.rpartition(":")[2]
    if port.isdigit() and int(port) in own:  # nginx in front of itself
        return []
    command = server.process.kind if server.process else ""
    named = [*_units.files(server.unit), *(server.process.files if server.process else ()), *_supervised(backend)]
    files = {path: _untrusted.configuration(path) for path in named if _untrusted.is_roots_alone(os.path.realpath(path))}
    return _open_ports.judge(
        backend.address, backend.protocol, backend.listener.address, command, files, server.restart, seen.own, filters
    )


def _supervised(backend: Backend) -> Iterable[str]:
    """The files of supervisor that could name the program's address."""
    directory = "/etc/supervisor/conf.d"
    return [os.path.join(directory, name) for name in _untrusted.entries(directory)] if backend.server.program else []


def _addresses(seen: Surroundings) -> list[Finding]:
    for site in seen.sites:
        site.findings += _dns_ipv6.judge(site.dns, seen.own)
    return []


def _renewals(seen: Surroundings) -> list[Finding]:
    if not any(certificate.lineage for site in seen.sites for certificate in site.certificates):
        return []
    found = _standalone.look()
    ports = (
        {listen.port for block in seen.configuration.servers for listen in block.listens if listen.port} if seen.nginx else set()
    )
    for site in seen.sites:
        site.findings += _standalone.judge(site.certificates, found, ports)
    return []


def _memories(seen: Surroundings) -> list[Finding]:
    users: dict[str, list[Backend]] = {}
    for backend in seen.backends.values():
        if backend.server.unit_name.endswith(".service"):
            users.setdefault(backend.server.unit_name, []).append(backend)
    memory = _memory.look(users)
    general = _memory.judge_host(memory)
    for unit, backends in users.items():
        found = _memory.judge_service(unit, memory, backends[0].server.restart)
        names = {site.name for site in seen.sites for backend in backends if backend in _result.backends_of(site, seen.backends)}
        if len(backends) > 1:  # which of its apps is unknown
            general += found
            continue
        for site in seen.sites:
            if found and site.name in names:  # the kernel knows better than the app's log
                codes = {finding.code for finding in found}
                site.findings = [*(each for each in site.findings if each.code not in codes), *found]
    return general


def _limited(seen: Surroundings) -> list[Finding]:
    everybody = _processes.all_processes()
    groups = {NGINX: _nginx_process.workers(seen.nginx)} if seen.nginx else {}
    for (address, _protocol), backend in seen.backends.items():
        process = backend.server.process
        if process and process.pid:
            family = _processes.with_descendants([process.pid], everybody)
            groups[address] = [process.pid, *(pid for pid, _start in family)]
    usage = _limits.usage(groups)
    limits = _limits.nginx_limits(_untrusted.text_or_none(_paths.MAIN) or "")
    for site in seen.sites:
        for backend in _result.backends_of(site, seen.backends):
            name = backend.server.unit_name or backend.address
            site.findings += _limits.judge_app(name, usage.get(backend.address))
    return [*_limits.judge_nginx(limits, usage.get(NGINX)), *_limits.judge_conntrack(*_limits.conntrack())]


def _neighbourly(seen: Surroundings) -> list[Finding]:
    sockets = []
    for backend in seen.backends.values():
        warnings = backend.access.warnings if backend.access else ()
        sockets.append((backend.address, [warning for warning in warnings if warning["code"] == _neighbours.CODE]))
    return _neighbours.judge(sockets)
