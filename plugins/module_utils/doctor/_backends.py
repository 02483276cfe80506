# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The upstream addresses of nginx: which server listens there, or should, and what is wrong with it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _app_logs,
    _backend_server,
    _causes,
    _hidden,
    _judge_server,
    _log_causes,
    _logs,
    _neighbours,
    _queues,
    _server,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backend_server import BackendServer
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _sockets, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, Upstream
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _catalog
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _owner
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access, Target

REQUEST_PROTOCOLS = ("uwsgi", "http")
"""Protocols in which a request is sent. With any other one only the connection is tested."""

LOCAL = re.compile(r"localhost|127\.[\d.]+|\[::1\]")

PERMISSIONS = ("no_write_permission", "acl_denied")
"""What comes back with the server's next start, unless its configuration is changed."""

UNSAFE = "Look at what it is and change its mode by hand: others than its owner can replace it, so no command would be safe."
"""What to do about open permissions without a command."""


@dataclass
class Backend:
    """An address that nginx passes requests to.

    :ivar upstreams: the directives of nginx that name it
    :ivar wrong_scheme: nginx uses TLS and it does not, or the other way round
    """

    address: str
    protocol: str
    upstreams: list[Upstream]
    access: Access | None = None
    listener: Listener | None = None
    server: BackendServer = field(default_factory=BackendServer)
    log: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    wrong_scheme: bool = False

    @property
    def served(self) -> bool:
        """Whether the app answers, as far as that was tested."""
        return not self.wrong_scheme and (self.access is None or self.access.code in ("ok", "not_checked"))


def targets(upstreams: Iterable[Upstream], own: set[str]) -> dict[tuple[str, str], tuple[Target, list[Upstream]]]:
    """Choose one request for each address and protocol: the shortest path that leads there. Pure.

    :param own: the IP addresses of this host; with other hosts only the connection is tested
    :returns: by address and protocol, the request and all directives that name the address
    """
    found: dict[tuple[str, str], list[Upstream]] = {}
    for upstream in upstreams:
        if not upstream.variable:
            found.setdefault((upstream.address, "tls" if upstream.tls else upstream.protocol), []).append(upstream)
    asked = {}
    for (address, protocol), named in found.items():
        first = min(named, key=lambda up: (up.guarded, up.location.startswith(("=", "~")), len(up.uri)))
        host = next((name for name in first.names if name and name[0].isalnum()), "localhost")
        guarded = all(upstream.guarded for upstream in named)
        tried = protocol if protocol not in REQUEST_PROTOCOLS or (is_local(address, own) and not guarded) else "tcp"
        asked[address, protocol] = Target(address, tried, first.uri, host, (), f"{first.file}:{first.line}"), named
    return asked


def is_local(address: str, own: set[str]) -> bool:
    """Whether an address is on this host. Pure."""
    host = address.rpartition(":")[0]
    return address.startswith("unix:") or bool(LOCAL.fullmatch(host)) or host.strip("[]") in own


def look(configuration: Configuration, own: set[str], timeout: float, pool: ThreadPoolExecutor) -> dict[tuple[str, str], Backend]:
    """Send one request to each upstream, find its server, and judge both.

    :param own: the IP addresses of this host
    :param timeout: seconds that an app has to answer
    :returns: the backends by address and protocol
    """
    asked = targets([upstream for upstream in configuration.upstreams if not upstream.closed], own)
    if not asked:
        return {}
    backends = {key: Backend(*key, upstreams=named) for key, (_target, named) in asked.items()}
    catalog = _catalog.read()
    before = _owner.placed(_sockets.listeners(), catalog)
    try:
        accesses = _examine.examine([target for target, _named in asked.values()], timeout=timeout, host=catalog)
    except StackError as failure:
        accesses = [Access(*key, code="not_checked", message=failure.cause) for key in asked]
    after, inodes = _owner.placed(_sockets.listeners(), catalog), _sockets.inodes()
    everybody = _processes.all_processes()
    links = _hidden.look_as_users(pid for pid, _start in everybody)
    host = _server.HostFacts(everybody, links, _server.core(), catalog, [_held(each, inodes, links) for each in after])
    unused = _unused(host.listeners, [upstream.address for upstream in configuration.upstreams if not upstream.variable])
    limit = _sockets.somaxconn()

    def look_at(backend: Backend, access: Access) -> None:
        backend.access = access
        try:
            examine_server(backend, access)
        except (OSError, ValueError, RecursionError, StackError) as error:
            message = f"The server of {backend.address} could not be examined: {error or type(error).__name__}."
            backend.findings.append(Finding(WARNING, "not_examined", message))

    def examine_server(backend: Backend, access: Access) -> None:
        queue = _fitting(before, backend.address)
        backend.listener = _fitting(after, backend.address)
        peer = access.peer.get("pid") or 0
        backend.server = _backend_server.server_of(backend.address, backend.listener, peer, inodes, host)
        log = _app_log(backend, host)
        backend.log = _logs.shown(_logs.app_errors(log.text))
        backend.findings += _judged(backend, limit, _causes.judge(_served(backend, log, host, unused), catalog))
        backend.findings += _queues.judge_queue(backend.address, queue, backend.listener, backend.server.restart)

    list(pool.map(lambda pair: look_at(*pair), zip(backends.values(), accesses)))
    _judge_groups(backends)
    return backends


def _held(listener: Listener, inodes: Mapping[str, str], links: Mapping[int, Mapping[str, Any]]) -> Listener:
    """A TCP listener with its processes, also where root may not read their open files."""
    if listener.pids or listener.address.startswith("unix:"):
        return listener
    return replace(listener, pids=tuple(_queues.holders(listener.inode or inodes.get(listener.address, ""), links)))


def _fitting(listeners: Sequence[Listener], address: str) -> Listener | None:
    resolved = _backend_server.resolved(address)
    return _owner.fitting(listeners, address, resolved, _sockets.file_at(resolved) if resolved else "")


def _unused(listeners: Sequence[Listener], addresses: Iterable[str]) -> tuple[Listener, ...]:
    """The listeners of servers that nginx passes nothing to.

    :param addresses: those that nginx passes requests to
    """
    used = [_fitting(listeners, address) for address in addresses]
    serving = {pid for listener in used if listener for pid in listener.pids if pid > 1}
    return tuple(each for each in listeners if each not in used and serving.isdisjoint(each.pids))


def _served(backend: Backend, log: _app_logs.AppLog, host: _server.HostFacts, unused: tuple[Listener, ...]) -> _causes.Served:
    """What is known of the server of a backend.

    :param unused: see ``_unused``
    """
    server, resolved = backend.server, _backend_server.resolved(backend.address)
    site = next((name for upstream in backend.upstreams for name in upstream.names if name and name[0].isalnum()), "")
    file = _sockets.file_at(resolved) if resolved else ""
    return _causes.Served(
        address=backend.address,
        path=resolved or backend.address,
        site=site,
        code=backend.access.code if backend.access else "",
        listened=bool(backend.listener) or (server.process is not None and server.process.pid > 0),
        process=server.process,
        unit=server.unit,
        unit_name=server.unit_name,
        owner=server.owner,
        log=log,
        lines=tuple(backend.log[-3:]),
        restart=server.restart,
        listener=backend.listener,
        outlived=tuple(
            replace(each, pids=each.pids or tuple(_queues.holders(each.inode, host.links)))
            for each in _owner.outlived(host.listeners, backend.address, resolved, file)
        ),
        listeners=tuple(host.listeners),
        unused=unused,
    )


def _app_log(backend: Backend, host: _server.HostFacts) -> _app_logs.AppLog:
    """The log of an app, at most one day old."""
    server = backend.server
    process, fields = server.process, _backend_server.slot_messages(_backend_server.resolved(backend.address), server)
    if fields:
        since = max(process.started if process else 0.0, time.time() - _logs.DAY)
        text = _systemd.journal(fields, since, lines=1000, dated=True, sync=False)
        return _app_logs.AppLog(_log_causes.cleaned(text), f"journalctl -u {server.unit_name}")
    return _causes.log_of(server.owner, process, server.unit, server.unit_name, host.catalog)


def _judged(backend: Backend, limit: int, causes: Sequence[Finding] = ()) -> list[Finding]:
    """Judge a backend: first why it does not answer, then that it does not. Pure.

    :param causes: see ``_causes.judge``
    """
    access, server, served = backend.access, backend.server, backend.served
    if access is None:
        return []
    taken = next((finding.fix for finding in causes if finding.code == "address_taken"), "")
    restart = taken or server.restart
    own = _judge_server.judge(server.process, backend.address, served, limit, restart) if server.process else []
    first = [finding for finding in own if finding.severity == BROKEN]
    findings = [*first, *causes]
    if not access.ok:
        severity = NOTE if access.code == "not_checked" else BROKEN
        named = f"{access.named_in}: {backend.protocol} to {backend.address}"
        evidence = (named, *(backend.log[-3:] if severity == BROKEN else ()))
        cause = next((finding for finding in findings if finding.severity == BROKEN), None)
        fix, quick = access.fix or access.permanent_fix, ""
        if access.fix and access.permanent_fix and (access.code in PERMISSIONS or not is_sentence(access.permanent_fix)):
            fix, quick = access.permanent_fix, access.fix
        if cause:
            fix, quick = cause.fix, cause.quick_fix
        findings.append(Finding(severity, access.code, access.message, evidence, fix, quick_fix=quick))
    for warning in access.warnings:
        if warning["code"] != _neighbours.CODE:  # they are one finding of the host
            findings.append(Finding(WARNING, warning["code"], warning["message"], (access.named_in,), warning["fix"] or UNSAFE))
    return [*findings, *(finding for finding in own if finding.severity != BROKEN)]


def _judge_groups(backends: Mapping[tuple[str, str], Backend]) -> None:
    """Lower ``broken`` to ``warning`` while another server of the same upstream group answers. Pure."""
    alive = {
        upstream.group for backend in backends.values() if backend.served for upstream in backend.upstreams if upstream.group
    }
    for backend in backends.values():
        if not backend.served and all(upstream.group in alive for upstream in backend.upstreams):
            backend.findings = [
                replace(finding, severity=WARNING) if finding.severity == BROKEN else finding for finding in backend.findings
            ]
