# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at everything between a visitor and an app, and says what is wrong with it. Nothing is changed.

What is seen is gathered here; what it means is decided by the functions ``judge`` of the modules that it comes from.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _certificates,
    _descriptors,
    _host,
    _logs,
    _queues,
    _report,
    _server,
    _server_options,
    _units,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, WARNING, Finding, ordered, worst
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import Process
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _processes, _sockets, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _dump
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock, Upstream
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _supervisor_files
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _owner
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access, Target
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _certificate

T = TypeVar("T")

AT_ONCE = 16
"""How many things are looked at at the same time: that is mostly waiting."""

SPOKEN = ("uwsgi", "http")
"""The protocols in which an app is asked; of any other one it is only tried whether somebody listens."""

LOCAL = re.compile(r"localhost|127\.[\d.]+|\[::1\]")
FINE_UNITS = ("user@", "session-", "init.scope", "ssh", "docker", "containerd")
"""Units that are not a server's own."""

SHARED = re.compile(r"emperor|^uwsgi\.service$")
"""Units that run several apps."""

SLOT = re.compile(rf"{_layout.RUNTIME_DIRECTORY}/([a-z][a-z0-9-]*)/({'|'.join(_layout.SLOTS)})\.sock")


@dataclass
class Backend:
    """An address that nginx passes requests on to.

    :ivar upstreams: the places that name it
    :ivar waits: systemd listens, and starts the server with the first request
    """

    address: str
    protocol: str
    upstreams: list[Upstream]
    access: Access | None = None
    listener: Listener | None = None
    process: Process | None = None
    unit: dict[str, str] = field(default_factory=dict)
    unit_name: str = ""
    program: str = ""
    program_state: tuple[str, str] = ("", "")
    restart: str = ""
    waits: bool = False
    log: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def served(self) -> bool:
        """Whether an answer comes."""
        return self.access is None or self.access.code in ("ok", "not_checked")


@dataclass
class Site:
    """The servers of nginx that share a name."""

    servers: list[ServerBlock]
    certificates: list[_certificate.Certificate] = field(default_factory=list)
    dns: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names, each once."""
        return list(dict.fromkeys(name for server in self.servers for name in server.names))

    @property
    def name(self) -> str:
        """What the site is called: its first name that is one, else the place where it is written."""
        plain = [name for name in self.names if re.match(r"[\w*.]", name) and name != "_"]
        return plain[0] if plain else f"{self.servers[0].file}:{self.servers[0].line}"

    @property
    def upstreams(self) -> list[Upstream]:
        """Where its requests leave nginx."""
        return [upstream for server in self.servers for upstream in server.upstreams]


def examine(timeout: float) -> dict[str, Any]:
    """Look at this host.

    :param timeout: seconds that an app has for an answer
    :returns: ``nginx``, ``sites``, ``findings``, ``report``, as the module ``doctor`` describes them
    """
    root = os.geteuid() == 0
    tested = _dump.test()
    there = tested.code != 127
    configuration = _configuration.parse(_dump.dumped(tested)) if there else Configuration()
    unit = _units.show(["nginx.service"]).get("nginx.service", {})
    nginx = _host.nginx(tested if there else None, unit)
    sites = [Site(servers) for servers in grouped(configuration.servers)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        names = [name for site in sites for name in site.names if "." in name and re.fullmatch(r"[\w.-]+", name)]
        dns = pool.submit(_host.resolve, names)
        own = pool.submit(_host.addresses)
        renewal = pool.submit(_certificates.renewal)
        certified = [pool.submit(_certified, site, bool(nginx.pid)) for site in sites]
        backends = _backends(configuration, own.result(), timeout, pool)
        for site, answer in zip(sites, certified):
            site.certificates, found = answer.result()
            site.findings += found + _certificates.judge_renewal(site.certificates, renewal.result())
            site.dns = {name: dns.result()[name] for name in site.names if name in dns.result()}
            for name, leads in site.dns.items():
                site.findings += _host.judge_dns(name, leads, own.result())
    for site in sites:
        _with_logs(site, configuration, nginx.started, backends)
    for server, finding in _host.clashes(configuration.servers):
        next(site for site in sites if server in site.servers).findings.append(finding)
    general = _host.judge_nginx(nginx, configuration, root)
    general += _host.judge_backlogs(configuration, _sockets.somaxconn())
    general += _host.judge_disks(_host.disks([*_host.DIRECTORIES, *_directories(backends.values())]))
    return _result(nginx, sites, backends, general, root, own.result())


def grouped(servers: Sequence[ServerBlock]) -> list[list[ServerBlock]]:
    """Servers that share a name, as those for port 80 and 443 of a site do. Those without a name are sites of their own. Pure."""
    found: list[list[ServerBlock]] = []
    for server in servers:
        names = {name for name in server.names if name not in ("", "_")}
        sharing = [group for group in found if names & {name for member in group for name in member.names}]
        merged = [member for group in sharing for member in group]
        found = [group for group in found if group not in sharing]
        found.append([*merged, server])
    return sorted(found, key=lambda group: servers.index(group[0]))


def targets(upstreams: Iterable[Upstream], own: set[str]) -> dict[tuple[str, str], tuple[Target, list[Upstream]]]:
    """What to ask: each address once, for the shortest path that leads to it. Pure.

    :param own: the addresses of this host; of another one it is only tried whether somebody listens
    """
    found: dict[tuple[str, str], list[Upstream]] = {}
    for upstream in upstreams:
        if not upstream.variable:
            found.setdefault((upstream.address, "tls" if upstream.tls else upstream.protocol), []).append(upstream)
    asked = {}
    for (address, protocol), named in found.items():
        first = min(named, key=lambda upstream: (upstream.location.startswith(("=", "~")), len(upstream.uri)))
        host = next((name for name in first.names if name and name[0].isalnum()), "localhost")
        spoken = protocol if protocol not in SPOKEN or _local(address, own) else "tcp"
        asked[address, protocol] = Target(address, spoken, first.uri, host, (), f"{first.file}:{first.line}"), named
    return asked


def _local(address: str, own: set[str]) -> bool:
    host = address.rpartition(":")[0]
    return address.startswith("unix:") or bool(LOCAL.fullmatch(host)) or host.strip("[]") in own


def _backends(
    configuration: Configuration, own: set[str], timeout: float, pool: ThreadPoolExecutor
) -> dict[tuple[str, str], Backend]:
    asked = targets(configuration.upstreams, own)
    if not asked:
        return {}
    backends = {key: Backend(*key, upstreams=named) for key, (_target, named) in asked.items()}
    before = _sockets.listeners()
    try:
        accesses = _examine.examine([target for target, _named in asked.values()], timeout=timeout)
    except StackError as failure:
        accesses = [Access(*key, code="not_checked", sentence=failure.cause) for key in asked]
    after, inodes = _sockets.listeners(), _sockets.inodes()
    everybody = _processes.all_processes()
    links = _descriptors.look_as_users(pid for pid, _start in everybody)
    host = _server.Host(everybody, links, _server.core(), _processes.command_lines())
    limit = _sockets.somaxconn()

    def look(backend: Backend, access: Access) -> None:
        backend.access = access
        queue = _fitting(before, backend.address)
        backend.listener = _fitting(after, backend.address)
        _with_server(backend, inodes, host)
        backend.findings += _judged(backend, limit)
        backend.findings += _queues.judge_queue(backend.address, queue, backend.listener, backend.restart)

    list(pool.map(lambda pair: look(*pair), zip(backends.values(), accesses)))
    _judge_groups(backends)
    return backends


def _fitting(listeners: Sequence[Listener], address: str) -> Listener | None:
    resolved = os.path.realpath(address[len("unix:") :]) if address.startswith("unix:/") else ""
    return _owner.fitting(listeners, address, resolved)


def _with_server(backend: Backend, inodes: Mapping[str, str], host: _server.Host) -> None:
    """Find out who listens, or should."""
    path = os.path.realpath(backend.address[len("unix:") :]) if backend.address.startswith("unix:/") else backend.address
    pids: set[int] = set()
    if backend.listener:
        inode = inodes.get(backend.listener.address, "")
        pids = {*backend.listener.pids, *_queues.holders(inode, host.links)}
    peer = (backend.access.peer.get("pid") if backend.access else 0) or 0
    pid = _server.main_of(pids or [peer], host.everybody)
    server = _processes.described(pid) if pid else None
    owner = _owner.owner(path, server)
    backend.unit_name = server.unit if server else owner.unit if owner else ""
    slot = SLOT.fullmatch(path)
    if slot and not server:
        backend.unit_name = _slot_unit(_layout.Layout(slot[1]).unit(slot[2]))
    if backend.unit_name.startswith(FINE_UNITS):
        backend.unit_name = ""
    backend.program = owner.program if owner else ""
    backend.unit = _units.show([backend.unit_name]).get(backend.unit_name, {})
    backend.restart = owner.restart() if owner and not slot else ""
    backend.restart = backend.restart or (f"systemctl restart {_owner.short(backend.unit_name)}" if backend.unit_name else "")
    backend.restart = backend.restart or "restart the app"
    triggering = backend.unit_name if backend.unit_name.endswith(".socket") else ""
    backend.waits = bool(backend.listener) and not pid and bool(triggering or backend.unit.get("TriggeredBy"))
    directory, words = _units.directory(backend.unit), _units.command(backend.unit)
    if backend.program:
        directory, words = _program_command(owner.files if owner else (), backend.program)
        if not pid:
            backend.program_state = _units.program(backend.program)
    elif owner and owner.vassal:
        directory = os.path.dirname(owner.vassal)
    if pid:
        backend.process = _server.running(pid, host, backend.unit if not backend.program else {}, directory)
    elif owner and owner.vassal:
        backend.process = _server.configured(["uwsgi", "--ini", owner.vassal], directory, host)
    elif words and not triggering:
        backend.process = _server.configured(words, directory, host, backend.unit_name, backend.program)
    backend.log = _app_log(backend)


def _slot_unit(unit: str) -> str:
    """The unit that runs a slot of this collection: its own, or that of the Emperor."""
    found = _units.show([unit]).get(unit, {})
    return unit if found.get("LoadState") == "loaded" else _layout.EMPEROR


def _program_command(files: Iterable[str], name: str) -> tuple[str, list[str]]:
    """The directory and the command of a program of supervisor."""
    for path in files:
        options = _supervisor_files.programs(_files.text_of(path)).get(name)
        if options:
            return options.get("directory", ""), _server_options.words(options.get("command", ""))
    return "", []


def _app_log(backend: Backend) -> list[str]:
    """The last lines of an app's log that matter, of the last day."""
    process, text = backend.process, ""
    if process and process.log and _logs.recent(process.log):
        text = _logs.tail(process.log)
    elif backend.unit_name.endswith(".service") and not backend.program:
        since = max(process.started if process else 0.0, time.time() - _logs.DAY)
        text = _systemd.journal(_fields(backend), since, lines=1000, dated=True, sync=False) if _fields(backend) else ""
    return _logs.shown(_logs.app_errors(text))


def _fields(backend: Backend) -> list[str]:
    """What the messages of a server have in the journal; nothing if others of the same unit have it, too."""
    slot = SLOT.fullmatch(os.path.realpath(backend.address[len("unix:") :]))
    if slot and backend.unit_name == _layout.EMPEROR:
        return [_systemd.written_by(backend.unit_name), f"SYSLOG_IDENTIFIER={_layout.Layout(slot[1]).instance(slot[2])}"]
    if SHARED.search(backend.unit_name):
        return []
    # Of its present run, or its last one: what was wrong before that may have been fixed.
    invocation = backend.unit.get("InvocationID", "")
    return [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else [_systemd.written_by(backend.unit_name)]


def _judged(backend: Backend, limit: int) -> list[Finding]:
    """What is wrong with a backend. Pure."""
    access, findings = backend.access, []
    if access is None:
        return []
    running = backend.process is not None and backend.process.pid > 0
    served, listened = backend.served, running or backend.listener is not None
    if not access.ok:
        severity = NOTE if access.code == "not_checked" else BROKEN
        named = f"{access.named_in}: {backend.protocol} to {backend.address}"
        evidence = (named, *(backend.log[-3:] if severity == BROKEN else ()))
        findings.append(Finding(severity, access.code, access.sentence, evidence, access.fix or access.permanent_fix))
    for warning in access.warnings:
        fix = warning["fix"] or "give each app a user and a group of its own, and none of them nginx's group"
        findings.append(Finding(WARNING, warning["code"], warning["sentence"], (access.named_in,), fix))
    if backend.unit and not backend.program and backend.unit_name.endswith(".service"):
        age = time.time() - backend.process.started if backend.process and backend.process.started else 0.0
        findings += _units.judge(backend.unit, backend.address, listened, age, backend.log[-3:])
    if backend.program:
        findings += _units.judge_program(backend.program, backend.program_state, backend.address, listened, backend.log[-3:])
    if backend.process:
        findings += _server.judge(backend.process, backend.address, served, limit, backend.restart)
    return findings


def _judge_groups(backends: Mapping[tuple[str, str], Backend]) -> None:
    """A server that does not answer breaks nothing yet as long as another one of its group does."""
    alive = {
        upstream.group for backend in backends.values() if backend.served for upstream in backend.upstreams if upstream.group
    }
    for backend in backends.values():
        if not backend.served and all(upstream.group in alive for upstream in backend.upstreams):
            backend.findings = [
                replace(finding, severity=WARNING) if finding.severity == BROKEN else finding for finding in backend.findings
            ]


def _certified(site: Site, running: bool) -> tuple[list[_certificate.Certificate], list[Finding]]:
    """The certificates of a site, and what is wrong with them."""
    certificates: dict[str, _certificate.Certificate] = {}
    findings: list[Finding] = []
    for server in site.servers:
        if not server.tls or not server.certificates:
            continue
        pairs = [pair for pair in server.certificates if "$" not in pair[0] and pair[0].startswith("/")]
        own = [_certificate.read(*pair) for pair in pairs]
        if os.geteuid() != 0:  # that it cannot be read does not mean that nginx cannot
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


def _with_logs(site: Site, configuration: Configuration, started: float, backends: Mapping[tuple[str, str], Backend]) -> None:
    """Add what nginx logged about a site since it loaded its configuration, but not of more than a day ago."""
    since = max(started, time.time() - _logs.DAY)
    shared = set(configuration.error_logs)
    lines = []
    for path in dict.fromkeys(log for server in site.servers for log in server.error_logs):
        found = _logs.nginx_errors(_logs.tail(path), since)
        lines += [line for line in found if path not in shared or line.server in site.names]
    lines.sort(key=lambda line: line.last)
    site.log = _logs.shown(lines)
    site.findings += _logs.known(lines)
    for backend in _of(site, backends):
        for finding in backend.findings:
            seen = tuple(site.log[-2:]) if finding.severity == BROKEN and finding.code == backend_code(backend) else ()
            site.findings.append(replace(finding, evidence=(*finding.evidence, *seen)))


def backend_code(backend: Backend) -> str:
    """The code of what is in the way of requests."""
    return backend.access.code if backend.access else ""


def _of(site: Site, backends: Mapping[tuple[str, str], Backend]) -> list[Backend]:
    """The backends of a site, each once."""
    keys = dict.fromkeys((up.address, "tls" if up.tls else up.protocol) for up in site.upstreams)
    return [backends[key] for key in keys if key in backends]


def _directories(backends: Iterable[Backend]) -> list[str]:
    """The directories of sockets and apps."""
    found = []
    for backend in backends:
        if backend.address.startswith("unix:/"):
            found.append(os.path.dirname(os.path.realpath(backend.address[len("unix:") :])))
        if backend.process and backend.process.directory:
            found.append(backend.process.directory)
    return found


def _result(
    nginx: _host.Nginx,
    sites: Sequence[Site],
    backends: Mapping[tuple[str, str], Backend],
    general: Sequence[Finding],
    root: bool,
    own: set[str],
) -> dict[str, Any]:
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
        "upstreams": [_upstream(backend, site) for backend in _of(site, backends)],
        "variable_upstreams": [upstream.address for upstream in site.upstreams if upstream.variable],
        "certificates": [certificate.result(now) for certificate in site.certificates],
        "dns": {name: _leads(answer, own) for name, answer in site.dns.items()},
        "log": site.log,
    }


def _listen(listen: _configuration.Listen) -> str:
    return f"{listen.address}{' TLS' if listen.tls else ''}"


def _leads(answer: list[str] | str, own: set[str]) -> str:
    if isinstance(answer, str):
        return answer or "no answer"
    return f"{', '.join(answer)} ({'this host' if set(answer) & own else 'not an address of this host'})"


def _upstream(backend: Backend, site: Site) -> dict[str, Any]:
    access, process = backend.access, backend.process
    locations = [upstream.location for upstream in backend.upstreams if upstream in site.upstreams]
    return {
        "address": backend.address,
        "protocol": backend.protocol,
        "locations": list(dict.fromkeys(locations)),
        "code": access.code if access else "",
        "sentence": access.sentence if access else "",
        "status": access.status if access else None,
        "waits": backend.waits,
        "unit": backend.unit_name,
        "process": process.result() if process and process.pid else None,
        "queue": {"waiting": backend.listener.waiting, "limit": backend.listener.limit} if backend.listener else None,
        "log": backend.log,
    }


def _unseen(root: bool, backends: Iterable[Backend]) -> list[str]:
    """What could not be looked at."""
    found = [] if root else ["It does not run as root: nginx's test, keys and other users' processes cannot be looked at."]
    for backend in backends:
        seen = backend.process is not None and backend.process.pid > 0  # where socket_access did not find it
        unseen = backend.access.unseen if backend.access else ()
        found += [text for text in unseen if not (seen and text.startswith("the process that listens"))]
    return list(dict.fromkeys(found))
