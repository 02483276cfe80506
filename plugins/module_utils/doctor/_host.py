# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What all sites of a host share: file systems, IP addresses and nginx."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import queue
import re
import shlex
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings, _nginx_start
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _nginx_process, _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit, _messages
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock

FULL, NEARLY = 99.5, 95.0
"""Percent of a file system in use, counted as df(1) does."""

FULL_BYTES, NEARLY_BYTES = 100 << 20, 1 << 30
"""With more free bytes than this, a file system is neither full nor nearly full."""

DIRECTORIES = ("/", "/var/log", "/var/log/nginx", "/var/lib/nginx", "/run", "/tmp")
DNS_TIMEOUT = 5.0  # seconds, for all names
RELOAD_MARGIN = 0.5
"""Seconds by which a file has to be newer: file times and process times come from different clocks."""

RESERVED = re.compile(
    r"(^|\.)(localhost|test|example|invalid|local|internal|lan|intranet|home|corp|localdomain|home\.arpa|example\.(com|net|org))$"
)
"""Names that do not exist in public DNS: RFC 2606, RFC 6761, RFC 6762, RFC 8375, and others in common use."""

PLACE = re.compile(r" in (/\S+?):(\d+)$")
PRETENDERS = 5
"""Number of processes that are named in a finding."""

DEBIAN_DEFAULT = "sites-enabled/default"


@dataclass(frozen=True)
class FileSystem:
    """A file system, as users other than root see it.

    :ivar used: percent of its blocks
    :ivar free: bytes
    :ivar inodes: percent of its inodes in use, 0 if their number is not limited
    """

    path: str
    used: float
    free: int
    inodes: float


@dataclass(frozen=True)
class Nginx:
    """The nginx of this host.

    :ivar pid: its main process, 0 if it does not run
    :ivar started: start of its youngest worker, seconds since the epoch; 0 without workers
    :ivar test: the output of ``nginx -T``
    :ivar unit: properties of nginx.service
    :ivar pretenders: see ``host._nginx_process.pretenders``
    """

    installed: bool = False
    version: str = ""
    pid: int = 0
    started: float = 0.0
    test: Completed | None = None
    unit: Mapping[str, str] | None = None
    pretenders: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether the configuration passes its test."""
        return self.test is not None and self.test.code == 0

    def cause(self) -> str:
        """The first error in the configuration, as nginx reports it."""
        return (_messages.first_error(self.test.output) or self.test.last_line) if self.test else ""

    def result(self) -> dict[str, Any]:
        """The value that modules return."""
        since = _findings.moment(self.started) if self.started else ""
        return {
            "installed": self.installed,
            "version": self.version,
            "pid": self.pid,
            "workers_since": since,
            "configuration": "ok" if self.passes else self.cause(),
        }


def file_systems(paths: Iterable[str]) -> list[FileSystem]:
    """The writable file systems that some paths are on, without duplicates."""
    found: dict[int, FileSystem] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            device, status = os.stat(path).st_dev, os.statvfs(path)
            if device in found or status.f_flag & os.ST_RDONLY or not status.f_blocks:
                continue
            taken = status.f_blocks - status.f_bfree
            used = 100 * taken / ((taken + status.f_bavail) or 1)
            inodes = 100 * (status.f_files - status.f_favail) / status.f_files if status.f_files else 0.0
            found[device] = FileSystem(path, used, status.f_bavail * status.f_frsize, inodes)
    return list(found.values())


def judge_file_systems(found: Iterable[FileSystem]) -> list[Finding]:
    """Find file systems that are full or nearly full. Pure."""
    findings = []
    for disk in found:
        free = _findings.size(disk.free)
        evidence = (f"{disk.path}: {disk.used:.1f} % in use, {free} left, {disk.inodes:.1f} % of its inodes",)
        look = f"Free some space. du -xh {shlex.quote(disk.path)} shows what takes it, and apt-get clean is safe."
        if disk.used >= FULL and disk.free < FULL_BYTES:
            message = f"No space left on the file system of {disk.path}: apps cannot write logs or data."
            findings.append(Finding(BROKEN, "disk_full", message, evidence, look))
        elif disk.inodes >= FULL:
            message = f"No inodes left on the file system of {disk.path}: files cannot be created."
            fix = f"Remove files. du --inodes -x {shlex.quote(disk.path)} shows where most are."
            findings.append(Finding(BROKEN, "disk_full", message, evidence, fix))
        elif disk.used >= NEARLY and disk.free < NEARLY_BYTES:
            message = f"The file system of {disk.path} is nearly full: {free} left."
            findings.append(Finding(WARNING, "disk_nearly_full", message, evidence, look))
    return findings


def addresses() -> set[str]:
    """The IP addresses of this host."""
    shown = run(["ip", "-o", "address"], timeout=10).output
    return set(re.findall(r"\binet6? ([0-9a-f.:]+)", shown))


def resolve(names: Iterable[str], timeout: float = DNS_TIMEOUT) -> dict[str, list[str] | str]:
    """Resolve host names.

    :param timeout: seconds for all names
    :returns: by name the IP addresses, or ``does not exist``, or "" without an answer in time
    """
    wanted = list(dict.fromkeys(names))
    answers: queue.Queue[tuple[str, list[str] | str]] = queue.Queue()

    def ask(name: str) -> None:
        try:
            found = socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)
            answers.put((name, sorted({str(entry[4][0]) for entry in found})))
        except OSError as error:
            unknown = getattr(error, "errno", None) in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
            answers.put((name, "does not exist" if unknown else ""))

    for name in wanted:
        threading.Thread(target=ask, args=(name,), daemon=True).start()
    found: dict[str, list[str] | str] = dict.fromkeys(wanted, "")
    deadline = time.monotonic() + timeout
    for _name in wanted:
        try:
            name, answer = answers.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = answer
    return found


def judge_dns(name: str, answer: list[str] | str, own: set[str]) -> list[Finding]:
    """Note names that do not resolve to this host. Pure.

    A host that has only private addresses is behind a router or load balancer, and cannot know its public address.

    :param answer: see ``resolve``
    :param own: the IP addresses of this host
    """
    if RESERVED.search(name.lower()) or "." not in name or name.startswith("*"):
        return []
    if answer == "does not exist":
        message = f"The name {name} does not exist in DNS: visitors cannot reach the site under it."
        return [
            Finding(NOTE, "dns_missing", message, (), f"Create a DNS record for {name}, or remove it from the configuration.")
        ]
    public = sorted(address for address in own if _public(address))
    if isinstance(answer, str) or not answer or not public or set(answer) & own:
        return []
    message = f"The name {name} resolves to {', '.join(answer)}, but this host is {', '.join(public)}."
    fix = "Correct its DNS record, unless a proxy or load balancer is in front of this host."
    return [Finding(NOTE, "dns_elsewhere", message, (), fix)]


def _public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def nginx(tested: Completed | None, unit: Mapping[str, str]) -> Nginx:
    """Examine the nginx of this host.

    :param tested: see ``nginx._dump.test``, None without nginx
    :param unit: properties of nginx.service
    """
    masters = _nginx_process.masters()
    pid = masters[0].pid if masters else 0
    pretenders = tuple(_nginx_process.pretenders())
    if tested is None or tested.code == 127:
        return Nginx(pid=pid, pretenders=pretenders)
    workers = _nginx_process.workers(pid) if pid else []
    started = max((_processes.started(worker) for worker in workers), default=0.0)
    version = re.search(r"nginx/(\S+)", run([tested.argv[0], "-v"], timeout=10).output)
    return Nginx(True, version[1] if version else "", pid, started, tested, unit, pretenders)


def judge_nginx(found: Nginx, configuration: Configuration, root: bool, why: Why | None = None) -> list[Finding]:
    """Find what is wrong with nginx itself. It reads the times of the configuration files.

    :param root: whether the test ran as root; as another user it fails for lack of permission
    :param why: why it does not start, or load its configuration, None if that is not known
    """
    findings = _judge_pretenders(found.pretenders)
    if not found.installed:
        missing = Finding(NOTE, "nginx_missing", "nginx is not installed on this host.", (), "apt-get install nginx")
        return [missing, *findings]
    unit = found.unit or {}
    if not found.pid:
        findings += _nginx_start.judge_stopped(why, found.cause() if not found.passes else "", unit, found.passes)
    elif why:
        message = f"nginx cannot load its configuration, and runs with an earlier one: {why.text}."
        findings.append(Finding(WARNING, why.code, message, why.evidence, why.fix, quick_fix=why.quick_fix))
    if root and not found.passes and why is None:
        cause = found.cause()
        place = PLACE.search(cause)
        fix = f"Correct line {place[2]} of {place[1]}" if place else "Correct that error"
        later = " It still runs with an earlier configuration; a restart would fail." if found.pid else ""
        message = f"nginx rejects its configuration: {cause}.{later}"
        fix = then(fix, f"nginx -t && systemctl {'reload' if found.pid else 'start'} nginx")
        evidence = tuple(found.test.output.splitlines()[-3:]) if found.test else ()
        findings.append(Finding(WARNING if found.pid else BROKEN, "nginx_configuration", message, evidence, fix))
    if found.started and found.passes:
        newer = []
        for path in configuration.files:
            with contextlib.suppress(OSError):
                when = max(os.stat(path).st_mtime, os.lstat(path).st_mtime)
                if found.started + RELOAD_MARGIN < when <= time.time() + RELOAD_MARGIN:
                    newer.append(f"{path}: {_findings.moment(when)}")
        if newer:
            loaded = _findings.moment(found.started)
            message = f"nginx still runs with the configuration of {loaded}; files have changed since."
            findings.append(Finding(WARNING, "nginx_not_reloaded", message, tuple(newer), "nginx -t && systemctl reload nginx"))
    return findings


def _judge_pretenders(pretenders: Sequence[str]) -> list[Finding]:
    if not pretenders:
        return []
    message = (
        "Something calls itself nginx's master process and is not root's, or others than root can replace its program: it was "
        "neither run nor asked for its configuration."
    )
    fix = "If it is meant to be nginx, run it as root, from a program and a directory that only root can change, else stop it."
    return [Finding(NOTE, "nginx_not_roots", message, tuple(pretenders[:PRETENDERS]), fix)]


def judge_backlogs(configuration: Configuration, limit: int) -> list[Finding]:
    """Find listen queues of nginx that are longer than the kernel allows. Pure.

    :param limit: net.core.somaxconn, 0 if unknown
    """
    findings = []
    for server in configuration.servers:
        for listen in server.listens:
            if listen.backlog > limit > 0:
                where = f"{listen.file}:{listen.line}"
                asked = f"nginx asks for a listen queue of {listen.backlog} at {listen.address}"
                message = f"{asked}, but the kernel allows {limit} (net.core.somaxconn)."
                fix = f"{_findings.allow_backlog(listen.backlog)} && systemctl restart nginx"
                findings.append(Finding(WARNING, "backlog_over_somaxconn", message, (where,), fix))
    return findings


def clashes(servers: Sequence[ServerBlock]) -> list[tuple[ServerBlock, Finding]]:
    """Find server blocks that get no requests, because another one takes them. Pure."""
    found: list[tuple[ServerBlock, Finding]] = []
    seen: dict[tuple[str, str], ServerBlock] = {}
    blocked = {id(server): _blocked(server, servers) for server in servers}
    for server in servers:
        for listen in server.listens if not blocked[id(server)] else ():
            address = listen.address.replace("0.0.0.0:", "*:")
            for name in dict.fromkeys(server.names or ("",)):
                first = seen.setdefault((address, name.lower()), server)
                if first is server:
                    continue
                what = f"Two server blocks have the name {name}" if name else "Two server blocks have no name"
                message = f"{what} on {address}: nginx ignores the second one."
                evidence = (f"{first.file}:{first.line}: used", f"{server.file}:{server.line}: ignored")
                places = f"{server.file}:{server.line} or {first.file}:{first.line}"
                fix = then(f"Remove one of the two, from {places}", "nginx -t && systemctl reload nginx")
                if not any(
                    each is server and other.code == "server_name_twice" and other.evidence == evidence for each, other in found
                ):
                    found.append((server, Finding(WARNING, "server_name_twice", message, evidence, fix)))
    for server in servers:
        blocker = blocked[id(server)]
        if blocker:
            message = f"This site gets no requests: it has no server_name, and {blocker.file} is the default server."
            evidence = (
                f"{blocker.file}:{blocker.line}: default_server",
                f"{server.file}:{server.line}: {' '.join(server.names) or 'no server_name'}",
            )
            fix = _edit.removed(blocker.file)
            found.append((server, Finding(WARNING, "default_site_in_the_way", message, evidence, fix)))
    return found


def _blocked(server: ServerBlock, servers: Sequence[ServerBlock]) -> ServerBlock | None:
    """Debian's default site, if it takes all requests of a server block without a name."""
    if not server.upstreams or any(name not in ("", "_") for name in server.names):
        return None
    for other in servers:
        if other is server or not other.file.endswith(DEBIAN_DEFAULT):
            continue
        defaults = {listen.address for listen in other.listens if listen.default}
        mine = {listen.address for listen in server.listens}
        if mine and not any(listen.default for listen in server.listens) and mine <= defaults:
            return other
    return None
