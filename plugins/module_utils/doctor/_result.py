# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the module ``doctor_info`` returns. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _host, _report
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding, ordered, worst
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock, Upstream
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _certificate


@dataclass
class Site:
    """The server blocks of nginx that share a name."""

    servers: list[ServerBlock]
    certificates: list[_certificate.Certificate] = field(default_factory=list)
    dns: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The server names, without duplicates."""
        return list(dict.fromkeys(name for server in self.servers for name in server.names))

    @property
    def name(self) -> str:
        """The first real server name, else the file and line where the site is defined."""
        plain = [name for name in self.names if re.match(r"[\w*.]", name) and name != "_"]
        return plain[0] if plain else f"{self.servers[0].file}:{self.servers[0].line}"

    @property
    def upstreams(self) -> list[Upstream]:
        """The places where its requests leave nginx."""
        return [upstream for server in self.servers for upstream in server.upstreams]


def backend_code(backend: Backend) -> str:
    """The socket_access code of a backend, "" without one."""
    return backend.access.code if backend.access else ""


def backends_of(site: Site, backends: Mapping[tuple[str, str], Backend]) -> list[Backend]:
    """The backends of a site, without duplicates."""
    keys = dict.fromkeys((up.address, "tls" if up.tls else up.protocol) for up in site.upstreams)
    return [backends[key] for key in keys if key in backends]


def result(
    nginx: _host.Nginx,
    sites: Sequence[Site],
    backends: Mapping[tuple[str, str], Backend],
    general: Sequence[Finding],
    root: bool,
    own: set[str],
) -> dict[str, Any]:
    """What the module returns.

    :param general: the findings that belong to no site
    :param root: whether the examination ran as root
    :param own: the IP addresses of this host
    """
    now = time.time()
    described = [_described(site, backends, now, own) for site in sites]
    findings = [*general, *(finding.at(site.name) for site in sites for finding in site.findings)]
    found = ordered(findings)
    result = {
        "nginx": nginx.result(),
        "sites": described,
        "findings": [finding.result() for finding in found],
        "unseen": _unseen(root, backends.values()),
    }
    return {**result, "report": _report.lines(result)}


def _described(site: Site, backends: Mapping[tuple[str, str], Backend], now: float, own: set[str]) -> dict[str, Any]:
    first = site.servers[0]
    return {
        "name": site.name,
        "names": site.names,
        "state": worst(site.findings),
        "listens": list(dict.fromkeys(_listen(listen) for server in site.servers for listen in server.listens)),
        "defined_in": f"{first.file}:{first.line}",
        "upstreams": [_upstream(backend, site) for backend in backends_of(site, backends)],
        "variable_upstreams": [upstream.address for upstream in site.upstreams if upstream.variable],
        "certificates": [certificate.result(now) for certificate in site.certificates],
        "dns": {name: _resolved(answer, own) for name, answer in site.dns.items()},
        "log": site.log,
    }


def _listen(listen: _configuration.Listen) -> str:
    return f"{listen.address}{' TLS' if listen.tls else ''}"


def _resolved(answer: list[str] | str, own: set[str]) -> str:
    if isinstance(answer, str):
        return answer or "no answer"
    return f"{', '.join(answer)} ({'this host' if set(answer) & own else 'not an address of this host'})"


def _upstream(backend: Backend, site: Site) -> dict[str, Any]:
    access, process = backend.access, backend.server.process
    locations = [upstream.location for upstream in backend.upstreams if upstream in site.upstreams]
    return {
        "address": backend.address,
        "protocol": backend.protocol,
        "locations": list(dict.fromkeys(locations)),
        "code": access.code if access else "",
        "message": access.message if access else "",
        "status": access.status if access else None,
        "waits": backend.server.waits,
        "unit": backend.server.unit_name,
        "process": process.result() if process and process.pid else None,
        "queue": {"waiting": backend.listener.waiting, "limit": backend.listener.limit} if backend.listener else None,
        "log": backend.log,
    }


def _unseen(root: bool, backends: Iterable[Backend]) -> list[str]:
    """What could not be examined, and why."""
    found = [] if root else ["Not running as root: nginx -t, private keys and other users' processes cannot be examined."]
    for backend in backends:
        seen = backend.server.process is not None and backend.server.process.pid > 0  # found here, but not by socket_access
        unseen = backend.access.unseen if backend.access else ()
        found += [text for text in unseen if not (seen and text.startswith("the process that listens"))]
    return list(dict.fromkeys(found))
