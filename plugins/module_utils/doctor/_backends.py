# SPDX-License-Identifier: GPL-3.0-or-later
"""The upstream addresses of nginx: which server listens there, or should, and what is wrong with it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _hidden,
    _judge_server,
    _logs,
    _neighbours,
    _queues,
    _server,
    _server_options,
    _units,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _sockets, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, Upstream
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _supervisor_files
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _owner
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access, Target

REQUEST_PROTOCOLS = ("uwsgi", "http")
"""Protocols in which a request is sent. With any other one only the connection is tested."""

LOCAL = re.compile(r"localhost|127\.[\d.]+|\[::1\]")

OTHER_UNITS = ("user@", "session-", "init.scope", "ssh", "docker", "containerd")
"""Units that a server may run in and that are not its own: sessions and containers."""

SHARED_UNIT = re.compile(r"emperor|^uwsgi\.service$")
"""Units that run several apps."""

UNSAFE = "look at what it is and change its mode by hand: others than its owner can replace it, so no command would be safe"
"""What to do about open permissions without a command."""

BOOT_DIRECTORY = re.compile(r"^d (/\S+) ", re.MULTILINE)
"""The line in the app's tmpfiles.d(5) file that names its runtime directory."""


@dataclass(frozen=True)
class BackendServer:
    """The server of an upstream address, running or configured.

    :ivar unit: the properties of the systemd unit called ``unit_name``
    :ivar program: the supervisor program, "" without one; ``program_state`` as ``_units.program`` returns it
    :ivar restart: the command that restarts it
    :ivar waits: systemd listens and starts the server at the first request
    """

    process: ServerProcess | None = None
    unit: Mapping[str, str] = field(default_factory=dict)
    unit_name: str = ""
    program: str = ""
    program_state: tuple[str, str] = ("", "")
    restart: str = "restart the app"
    waits: bool = False


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
    asked = targets(configuration.upstreams, own)
    if not asked:
        return {}
    backends = {key: Backend(*key, upstreams=named) for key, (_target, named) in asked.items()}
    before = _sockets.listeners()
    try:
        accesses = _examine.examine([target for target, _named in asked.values()], timeout=timeout)
    except StackError as failure:
        accesses = [Access(*key, code="not_checked", message=failure.cause) for key in asked]
    after, inodes = _sockets.listeners(), _sockets.inodes()
    everybody = _processes.all_processes()
    links = _hidden.look_as_users(pid for pid, _start in everybody)
    host = _server.HostFacts(everybody, links, _server.core())
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
        backend.server = _server_of(backend.address, backend.listener, peer, inodes, host)
        backend.log = _app_log(backend)
        backend.findings += _judged(backend, limit)
        backend.findings += _queues.judge_queue(backend.address, queue, backend.listener, backend.server.restart)

    list(pool.map(lambda pair: look_at(*pair), zip(backends.values(), accesses)))
    _judge_groups(backends)
    return backends


def _fitting(listeners: Sequence[Listener], address: str) -> Listener | None:
    resolved = os.path.realpath(address[len("unix:") :]) if address.startswith("unix:/") else ""
    return _owner.fitting(listeners, address, resolved)


def _server_of(
    address: str, listener: Listener | None, peer: int, inodes: Mapping[str, str], host: _server.HostFacts
) -> BackendServer:
    """Find the server of an address.

    :param peer: the process at the other end of the test connection, 0 if unknown
    """
    path = os.path.realpath(address[len("unix:") :]) if address.startswith("unix:/") else address
    pids: set[int] = set()
    if listener:
        pids = {*listener.pids, *_queues.holders(inodes.get(listener.address, ""), host.links)}
    pid = _server.main_of(pids or [peer], host.everybody)
    process = _processes.described(pid) if pid else None
    slot = _slot(path)
    owner = _slot_owner(*slot, process.unit if process else "") if slot else _owner.owner(path, process)
    unit_name = process.unit if process else owner.unit if owner else ""
    if unit_name.startswith(OTHER_UNITS):
        unit_name = ""
    unit = _units.show([unit_name]).get(unit_name, {})
    triggering = unit_name.endswith(".socket")
    found = BackendServer(
        unit=unit,
        unit_name=unit_name,
        program=owner.program if owner else "",
        program_state=_units.program(owner.program) if owner and owner.program and not pid else ("", ""),
        restart=(owner.restart() if owner else "")
        or (f"systemctl restart {_owner.short(unit_name)}" if unit_name else "restart the app"),
        waits=bool(listener) and not pid and bool(triggering or unit.get("TriggeredBy")),
    )
    if slot and owner:
        owner = replace(owner, vassal="")  # The vassal file of a slot only names its release: it has no options.
    return replace(found, process=_process_of(pid, owner, found, triggering, host))


def _process_of(
    pid: int, owner: _owner.Owner | None, server: BackendServer, triggering: bool, host: _server.HostFacts
) -> ServerProcess | None:
    """Describe the running process of a server, or the one that its configuration would start.

    :param pid: 0 if it does not run
    :param triggering: its unit is a .socket, which starts another unit
    """
    directory, words = _units.directory(server.unit), _units.command(server.unit)
    if server.program:
        directory, words = _program_command(owner.files if owner else (), server.program)
    elif owner and owner.vassal:
        directory = os.path.dirname(owner.vassal)
    if pid:
        return _server.running(pid, host, server.unit if not server.program else {}, directory)
    if owner and owner.vassal:
        return _server.configured(["uwsgi", "--ini", owner.vassal], directory, host)
    if words and not triggering:
        return _server.configured(words, directory, host, server.unit_name, server.program)
    return None


def _slot(path: str) -> tuple[_layout.Layout, str] | None:
    """The app and slot of this collection that a socket belongs to, None if it belongs to none.

    ``wsgi_runtime_directory`` may be any directory. The tmpfiles.d(5) file that restores the live slot at boot names that of its
    app; an app that has never been live has no such file and is known only below the default one.
    """
    directory, file = os.path.split(path)
    slot = file.removesuffix(".sock")
    layout = _layout.Layout(os.path.basename(directory), runtime_directory=os.path.dirname(directory))
    if slot not in _layout.SLOTS or file == slot:
        return None
    known = BOOT_DIRECTORY.findall(_untrusted.configuration(layout.boot_link)) or [_layout.Layout(layout.name).runtime_directory]
    return (layout, slot) if known == [directory] else None


def _slot_owner(layout: _layout.Layout, slot: str, unit: str) -> _owner.Owner:
    """What runs a slot of this collection: its own unit, the Emperor or supervisor.

    :param unit: the unit of its running process, "" if it does not run
    """
    if not unit or unit.startswith(OTHER_UNITS):
        unit = layout.unit(slot)
        if os.path.exists(layout.program(slot)):
            unit = _layout.SUPERVISOR
        elif os.path.lexists(layout.vassal(slot)) or _units.show([unit]).get(unit, {}).get("LoadState") != "loaded":
            unit = _layout.EMPEROR
    if unit == _layout.SUPERVISOR:
        return _owner.Owner(unit, layout.instance(slot), files=(layout.program(slot),))
    return _owner.Owner(unit, vassal=layout.vassal(slot) if unit == _layout.EMPEROR else "")


def _program_command(files: Iterable[str], name: str) -> tuple[str, list[str]]:
    """The directory and the command of a supervisor program."""
    for path in files:
        options = _supervisor_files.programs(_untrusted.configuration(path)).get(name)
        if options:
            return options.get("directory", ""), _server_options.words(options.get("command", ""))
    return "", []


def _app_log(backend: Backend) -> list[str]:
    """The last errors in an app's log, at most one day old."""
    process, text = backend.server.process, ""
    if process and process.log and _logs.recent(process.log):
        text = _logs.tail(process.log)
    elif backend.server.unit_name.endswith(".service") and not backend.server.program:
        since = max(process.started if process else 0.0, time.time() - _logs.DAY)
        text = _systemd.journal(_fields(backend), since, lines=1000, dated=True, sync=False) if _fields(backend) else ""
    return _logs.shown(_logs.app_errors(text))


def _fields(backend: Backend) -> list[str]:
    """The fields that select a server's messages in the journal; none if they cannot be told from those of other apps."""
    slot = _slot(os.path.realpath(backend.address[len("unix:") :]))
    if slot and backend.server.unit_name == _layout.EMPEROR:
        return [_systemd.written_by(backend.server.unit_name), f"SYSLOG_IDENTIFIER={slot[0].instance(slot[1])}"]
    if SHARED_UNIT.search(backend.server.unit_name):
        return []
    # Only of the present or last run: what was wrong before may have been fixed.
    invocation = backend.server.unit.get("InvocationID", "")
    return [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else [_systemd.written_by(backend.server.unit_name)]


def _judged(backend: Backend, limit: int) -> list[Finding]:
    """Judge a backend. Pure."""
    access, server, findings = backend.access, backend.server, []
    if access is None:
        return []
    running = server.process is not None and server.process.pid > 0
    served, listened = backend.served, running or backend.listener is not None
    if not access.ok:
        severity = NOTE if access.code == "not_checked" else BROKEN
        named = f"{access.named_in}: {backend.protocol} to {backend.address}"
        evidence = (named, *(backend.log[-3:] if severity == BROKEN else ()))
        findings.append(Finding(severity, access.code, access.message, evidence, access.fix or access.permanent_fix))
    for warning in access.warnings:
        if warning["code"] != _neighbours.CODE:  # they are one finding of the host
            fix = warning["fix"] or UNSAFE
            findings.append(Finding(WARNING, warning["code"], warning["message"], (access.named_in,), fix))
    if server.unit and not server.program and server.unit_name.endswith(".service"):
        age = time.time() - server.process.started if server.process and server.process.started else 0.0
        findings += _units.judge(server.unit, backend.address, listened, age, backend.log[-3:])
    if server.program:
        findings += _units.judge_program(server.program, server.program_state, backend.address, listened, backend.log[-3:])
    if server.process:
        findings += _judge_server.judge(server.process, backend.address, served, limit, server.restart)
    return findings


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
