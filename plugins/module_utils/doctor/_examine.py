# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Examine everything between a visitor and an app, without changing anything.

This file gathers the facts. The functions ``judge`` beside the code that reads them decide what is wrong.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _backends,
    _certificates,
    _host,
    _logs,
    _nginx_health,
    _nginx_logs,
    _outside,
    _result,
    _surroundings,
    _units,
    _workers,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._attempts import Attempts
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site, backend_code, backends_of
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _dump
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _certificate

AT_ONCE = 16
"""Number of concurrent checks; they mostly wait."""


def examine(timeout: float, reference: float = 0.0) -> dict[str, Any]:
    """Examine this host.

    :param timeout: seconds that an app has to answer
    :param reference: the time by the controller's clock, in seconds since the epoch, 0 if unknown
    :returns: ``nginx``, ``sites``, ``findings``, ``report``, as the module ``doctor_info`` describes them
    """
    attempts = Attempts()
    root = os.geteuid() == 0
    tested = attempts.make("nginx's configuration", _dump.test) or Completed(("nginx",), _dump.UNTESTED, "the test failed")
    there = tested.code != 127
    configuration = Configuration()
    if there:
        configuration = (
            attempts.make("nginx's configuration", lambda: _configuration.parse(_dump.dumped(tested))) or configuration
        )
    unit = _units.show(["nginx.service"]).get("nginx.service", {})
    nginx = _host.nginx(tested if there else None, unit)
    sites = [Site(servers) for servers in grouped(configuration.servers)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        names = [name for site in sites for name in site.names if "." in name and re.fullmatch(r"[\w.-]+", name)]
        asked = pool.submit(_host.resolve, names)
        own = attempts.make("The addresses of this host", _host.addresses) or set()
        renewing = pool.submit(_certificates.renewal)
        certified = [pool.submit(_certified, site, bool(nginx.pid)) for site in sites]
        backends = attempts.make("The apps", lambda: _backends.look(configuration, own, timeout, pool)) or {}
        dns = attempts.make("DNS", asked.result) or {}
        renewal = attempts.make("The renewal of certificates", renewing.result)
        for site, certificates in zip(sites, certified):
            site.certificates, found = attempts.make(f"The certificates of {site.name}", certificates.result) or ([], [])
            site.findings += found + (_certificates.judge_renewal(site.certificates, renewal) if renewal else [])
            site.dns = {name: dns[name] for name in site.names if name in dns}
            for name, answer in site.dns.items():
                site.findings += _host.judge_dns(name, answer, own)
    explain = _nginx_logs.reader(_dump.dumped(tested) if there else "")
    general = _outside.look(configuration, bool(nginx.pid), sites, backends, own, timeout)
    for site in sites:
        attempts.make(f"The logs of {site.name}", partial(_with_logs, site, configuration, nginx.started, backends, explain))
    for server, finding in _host.clashes(configuration.servers):
        next(site for site in sites if server in site.servers).findings.append(finding)
    general += _workers.look()
    general += _nginx_health.judge(nginx, configuration, root and tested.code != _dump.UNTESTED)
    if root and tested.code == _dump.UNTESTED:
        message = f"The configuration of nginx was not tested: {tested.last_line}."
        general.append(Finding(NOTE, "nginx_not_tested", message, (), "Run nginx -t by hand, unless its user has changed."))
    general += _host.judge_backlogs(configuration, _sockets.somaxconn())
    general += _host.judge_file_systems(_host.file_systems([*_host.DIRECTORIES, *_directories(backends.values())]))
    if _nginx_health.past_systemd(nginx):
        general = _nginx_health.adapted(general, nginx.pid)
        for site in sites:
            site.findings = _nginx_health.adapted(site.findings, nginx.pid)
    general += _surroundings.examine(_surroundings.Surroundings(configuration, sites, backends, nginx.pid, own, reference))
    return _result.result(nginx, sites, backends, [*general, *attempts.failed], root, own)


def grouped(servers: Sequence[ServerBlock]) -> list[list[ServerBlock]]:
    """Group server blocks that share a name into sites, as those for ports 80 and 443. One without a name is a site. Pure."""
    found: list[list[ServerBlock]] = []
    for server in servers:
        names = {name for name in server.names if name not in ("", "_")}
        sharing = [group for group in found if names & {name for member in group for name in member.names}]
        merged = [member for group in sharing for member in group]
        found = [group for group in found if group not in sharing]
        found.append([*merged, server])
    return sorted(found, key=lambda group: servers.index(group[0]))


def _certified(site: Site, running: bool) -> tuple[list[_certificate.Certificate], list[Finding]]:
    """Read and judge the certificates of a site."""
    certificates: dict[str, _certificate.Certificate] = {}
    findings: list[Finding] = []
    for server in site.servers:
        if not server.tls or not server.certificates:
            continue
        pairs = [pair for pair in server.certificates if "$" not in pair[0] and pair[0].startswith("/")]
        own = [_certificate.read(*pair) for pair in pairs]
        if os.geteuid() != 0:  # unreadable for us, not for nginx
            own = [replace(certificate, cause="") for certificate in own]
        shown = {}
        names = _certificates.wanted(server.names)[:1]
        for listen in server.listens:
            if running and listen.tls and listen.port and names and names[0] not in shown:
                host = listen.address.rpartition(":")[0].strip("[]")
                shown[names[0]] = _certificate.served(listen.port, names[0], {"*": "127.0.0.1", "::": "::1"}.get(host, host))
        findings += _certificates.judge(server, own, shown, running, time.time())
        certificates.update({certificate.path: certificate for certificate in own})
    return list(certificates.values()), findings


def _with_logs(
    site: Site,
    configuration: Configuration,
    started: float,
    backends: Mapping[tuple[str, str], Backend],
    explain: _nginx_logs.Explain,
) -> None:
    """Add what nginx logged about a site since it loaded its configuration, at most one day back."""
    since = max(int(started), time.time() - _logs.DAY)  # nginx writes whole seconds
    shared = set(configuration.error_logs)
    lines = []
    for path in dict.fromkeys(log for server in site.servers for log in server.error_logs):
        found = _logs.nginx_errors(_logs.tail(path), since)
        lines += [line for line in found if path not in shared or line.server in site.names]
    lines.sort(key=lambda line: line.last)
    site.log = _logs.shown(lines)
    site.findings += explain(lines)
    for backend in backends_of(site, backends):
        for finding in backend.findings:
            seen = tuple(site.log[-2:]) if finding.severity == BROKEN and finding.code == backend_code(backend) else ()
            site.findings.append(replace(finding, evidence=(*finding.evidence, *seen)))


def _directories(backends: Iterable[Backend]) -> list[str]:
    """The directories of sockets and apps, whose file systems are checked."""
    found = []
    for backend in backends:
        if backend.address.startswith("unix:/"):
            found.append(os.path.dirname(os.path.realpath(backend.address[len("unix:") :])))
        if backend.server.process and backend.server.process.directory:
            found.append(backend.server.process.directory)
    return found
