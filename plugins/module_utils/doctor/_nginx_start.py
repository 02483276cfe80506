# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why nginx does not start, or does not load its configuration: who has its port, what is missing, what it runs as."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration

CHECK = "nginx -t && systemctl start nginx"
UNRESOLVED = re.compile(r"host not found in (?:upstream|resolver|\")?[ \"]*([\w.:-]+)\"?.* in (/\S+?):(\d+)$")
MISSING = re.compile(r"open\(\) \"(/[^\"]*)\" failed \(2: No such file or directory\)(?: in (/\S+?):(\d+))?")
BIND = re.compile(r"bind\(\) to (\S+) failed \((\d+): ([^)]*)\)")
PLACE = re.compile(r" in (/\S+?):(\d+)$")
LOGS = ("/var/log/nginx/error.log", "/var/log/nginx/access.log")
"""The logs that Debian's nginx opens whatever its configuration says."""


@dataclass(frozen=True)
class Holder:
    """A process that has a port that nginx is to listen on.

    :ivar unit: the service that it belongs to, "" without one
    """

    address: str
    pid: int
    name: str
    unit: str


def holders(configuration: Configuration, listeners: Sequence[Listener], own: Iterable[int]) -> list[Holder]:
    """Who has a port that nginx is configured to listen on, and is not nginx.

    :param own: the processes of nginx
    """
    mine = set(own)
    wanted = {(host(listen.address), listen.port) for server in configuration.servers for listen in server.listens if listen.port}
    found: dict[int, Holder] = {}
    for listener in listeners:
        address, _colon, port = listener.address.rpartition(":")
        if listener.address.startswith("unix:") or not port.isdigit() or int(port) in found or set(listener.pids) & mine:
            continue
        if any(number == int(port) and collide(each, address) for each, number in wanted):
            found[int(port)] = _holder(listener)
    return list(found.values())


def host(address: str) -> str:
    """The host in the address of a ``listen`` directive. Pure."""
    return address.rpartition(":")[0]


def collide(wanted: str, taken: str) -> bool:
    """Whether a program cannot listen on an address since another one listens on the same port of another address. Pure.

    :param wanted: as nginx has it, ``*`` is all of IPv4; ``taken``: as ss(8) has it, where ``*`` is all of IPv6 and IPv4
    """
    wide = {"0.0.0.0", "*"}
    if wanted.startswith("["):
        return taken in (wanted, "*", "[::]") or (wanted == "[::]" and taken.startswith("["))
    return taken in wide or taken == wanted or (wanted in wide and not taken.startswith("["))


def _holder(listener: Listener) -> Holder:
    pid = min((pid for pid in listener.pids if pid > 1), default=min(listener.pids, default=0))
    process = _processes.described(pid) if pid else None
    return Holder(listener.address, pid, process.name if process else "another program", process.unit if process else "")


def why(cause: str, configuration: Configuration, found: Sequence[Holder], running: bool) -> Why | None:
    """Why nginx does not start, or load its configuration, None if that is not known.

    :param cause: the first error of its test or of its last start, "" if there was none
    :param found: see ``holders``
    :param running: it runs, with an earlier configuration
    """
    after = "nginx -t && systemctl reload nginx" if running else CHECK
    gone = _missing_logs(configuration)
    if gone and not running:
        directories = " ".join(shlex.quote(path) for path in gone)
        make = f"install -d -o root -g adm -m 755 {directories} && {after}"
        return Why(
            f"the directory of its logs, {gone[0]}, does not exist", make, evidence=tuple(gone), code="nginx_log_directory"
        )
    unresolved = UNRESOLVED.search(cause)
    if unresolved:
        name, file, line = unresolved.groups()
        what = f"Correct the name {name} in line {line} of {file}, or let it resolve at boot, as by /etc/hosts"
        text = f"it cannot resolve the host name {name} in {file}:{line}, and so serves none of the sites"
        return Why(text, then(what, after), _without(file, after), (cause,), code="nginx_host_not_found")
    missing = MISSING.search(cause)
    if missing and os.path.islink(missing[1]):
        target = os.readlink(missing[1])
        text = f"{missing[1]} is a symlink to {target}, which does not exist"
        fix = f"rm {shlex.quote(missing[1])} && {after}"
        return Why(text, fix, evidence=(cause,), code="nginx_dangling_link")
    if missing:
        where = f", which line {missing[3]} of {missing[2]} names," if missing[2] else ""
        what = f"Restore {missing[1]}, or remove what names it"
        return Why(f"{missing[1]}{where} does not exist", then(what, after), evidence=(cause,), code="nginx_configuration")
    if found:
        return _port(found, running)
    bind = BIND.search(cause)
    if bind and bind[2] == "99":
        text = f"it cannot listen on {bind[1]}, which is not an address of this host"
        return Why(text, then(f"Correct the listen directive with {bind[1]}", after), evidence=(cause,), code="nginx_address")
    return None


def _port(found: Sequence[Holder], running: bool) -> Why:
    names = " and ".join(f"{each.address} is {each.name}'s{f' ({each.unit})' if each.unit else ''}" for each in found)
    first = found[0]
    port = first.address.rpartition(":")[2]
    start = "systemctl reload nginx" if running else "systemctl start nginx"
    end = f"systemctl disable --now {shlex.quote(first.unit.removesuffix('.service'))}" if first.unit else f"kill {first.pid}"
    what = f"Decide which of the two is to have port {port}, and if it is nginx"
    fix = then(what, f"{end} && {start}") if first.pid else then(f"Free port {port}", start)
    return Why(f"its address is taken: {names}", fix, evidence=tuple(each.address for each in found), code="nginx_port_taken")


def _missing_logs(configuration: Configuration) -> list[str]:
    directories = dict.fromkeys(os.path.dirname(path) for path in (*LOGS[:1], *configuration.logs))
    return [path for path in directories if path and not os.path.isdir(path) and re.fullmatch(r"/var/log(?:/[\w.-]+)+", path)]


def _without(file: str, after: str) -> str:
    """The command that brings all other sites back: the site is not served until its link is made again."""
    if os.path.islink(file) and re.fullmatch(r"/etc/nginx/sites-enabled/[\w.+-]+", file):
        return _edit.removed(file, after)
    return ""


def judge_stopped(cause: Why | None, said: str, unit: Mapping[str, str], passes: bool) -> list[Finding]:
    """Judge an nginx that does not run. Pure.

    :param cause: see ``why``
    :param said: the first error of its test, "" if it passes
    :param unit: properties of nginx.service
    """
    disabled = unit.get("UnitFileState") in ("disabled", "masked") and unit.get("ActiveState") != "failed"
    state = f"nginx.service: {unit.get('ActiveState')} ({unit.get('SubState')}), {unit.get('UnitFileState')}"
    severity = NOTE if disabled else BROKEN
    if cause:
        message = f"nginx is not running, and cannot start: {cause.text}."
        return [Finding(severity, cause.code, message, (*cause.evidence, state), cause.fix, quick_fix=cause.quick_fix)]
    if not passes:
        return []  # its configuration is the finding
    start = "systemctl enable --now nginx" if disabled else "systemctl start nginx"
    if unit.get("UnitFileState") == "masked":
        start = "systemctl unmask nginx && systemctl enable --now nginx"
    return [Finding(severity, "nginx_stopped", "nginx is not running: no site can be reached.", (state,), start)]


def past_systemd(pid: int, unit: Mapping[str, str], own_unit: str, by_hand: str) -> Finding | None:
    """Find an nginx that systemd does not know of. Pure.

    :param pid: its main process, 0 if it does not run
    :param unit: properties of nginx.service
    :param own_unit: the service that the process belongs to, "" without one
    :param by_hand: see ``_occupants.where_started``
    """
    if not pid or unit.get("LoadState") != "loaded" or unit.get("ActiveState") in ("active", "reloading", "activating"):
        return None
    if unit.get("UnitFileState") != "enabled" or not (by_hand or own_unit.startswith(("certbot", "nginx"))):
        return None
    state = f"nginx.service: {unit.get('ActiveState')} ({unit.get('Result')}), process {pid} in {own_unit or 'no service'}"
    message = (
        f"nginx (process {pid}) runs past systemd, which has nginx.service as {unit.get('ActiveState')}: systemctl reload nginx "
        "does nothing, a restart cannot bind its ports, and changes of its configuration are not loaded."
    )
    return Finding(WARNING, "nginx_past_systemd", message, (state,), f"nginx -t && {handed_over(pid)}")


def handed_over(pid: int) -> str:
    """The command that ends an nginx that runs past systemd, and starts it as its service."""
    return f"{{ kill -QUIT {pid} && timeout 30 tail --pid={pid} -f /dev/null; systemctl start nginx; }}"


def adapted_finding(finding: Finding, pid: int) -> Finding:
    """A finding with such a fix. Pure."""
    return replace(finding, fix=adapted(finding.fix, pid), quick_fix=adapted(finding.quick_fix, pid))


def adapted(fix: str, pid: int) -> str:
    """A fix, for an nginx that runs past systemd: where it reloads nginx, it is handed over. Pure."""
    return re.sub(r"systemctl (?:reload-or-restart|reload|restart) nginx\b(?!\.|-)", lambda match: handed_over(pid), fix)
