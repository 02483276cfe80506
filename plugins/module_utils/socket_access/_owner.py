# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Who owns a socket: the listening process, its unit, and the configuration files that name it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils.host import (
    _accounts,
    _processes,
    _sockets,
    _systemd,
    _untrusted,
)
from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import (
    _starter_programs,
    _starter_units,
    _starter_vassals,
)
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Named

SUPERVISOR_UNIT = _starter_programs.UNIT
OTHERS = ("user@", "session-", "init.scope", "ssh", "docker", "containerd", "cron", "atd")
"""Services that a server may run in and that do not start it: those of sessions and containers."""


@dataclass(frozen=True)
class Owner:
    """What starts the server of a socket.

    :ivar unit: the systemd unit
    :ivar program: the supervisor program, "" without one
    :ivar vassal: the file of a uWSGI Emperor's vassal, or of an app of Debian's package uwsgi, "" without one
    :ivar files: the configuration files that name the socket
    :ivar user: whose unit it is, "" for one of the system
    :ivar control: the command that controls the program's supervisor
    """

    unit: str
    program: str = ""
    vassal: str = ""
    files: tuple[str, ...] = ()
    user: str = ""
    control: str = "supervisorctl"

    @property
    def name(self) -> str:
        """The owner as messages name it."""
        if self.program:
            return f"the supervisor program {self.program}"
        if self.user:
            return f"{self.unit} of the user {self.user}"
        return f"the vassal {self.vassal}" if self.vassal else self.unit

    def restart(self) -> str:
        """The command that restarts the server, or starts it; "" if unknown."""
        if self.program:
            return f"{self.control} restart {shlex.quote(self.program)}"
        if self.user:
            return self.of_user(f"restart {short(self.unit)}")
        if self.vassal and self.unit != _starter_vassals.DEBIAN_UNIT and _systemd.is_active(self.unit):
            return touched(self.vassal)
        return f"systemctl restart {short(self.unit)}" if self.unit else ""

    def start(self) -> str:
        """The command that starts a stopped server; "" if unknown."""
        if self.program:
            return f"{self.control} start {shlex.quote(self.program)}"
        if self.user:
            return self.of_user(f"start {short(self.unit)}")
        if self.vassal:
            return self.restart()
        return f"systemctl start {short(self.unit)}" if self.unit else ""

    def of_user(self, words: str) -> str:
        """A command of systemctl for the units of the owner's user."""
        user = shlex.quote(self.user)
        return f'runuser -u {user} -- env XDG_RUNTIME_DIR="/run/user/$(id -u {user})" systemctl --user {words}'


def touched(path: str) -> str:
    """The command that makes an Emperor read a vassal's file again: as the owner, who may have made a symlink there."""
    real = os.path.realpath(path)
    command = f"touch --no-create {shlex.quote(real if os.path.islink(path) else path)}"
    with contextlib.suppress(OSError):
        if not _untrusted.is_roots_alone(os.path.dirname(real)):
            return _accounts.as_user(os.stat(real).st_uid, command)
    return command


def short(unit: str) -> str:
    """A service name without its suffix, as systemctl accepts it in a shell: ``nginx`` for ``nginx.service``."""
    return shlex.quote(unit.removesuffix(".service"))


def placed(listeners: Sequence[Listener], host: HostCatalog) -> list[Listener]:
    """The listeners; those that were bound by a relative path have the path of their file, if that is found.

    ss(8) shows the path as the server gave it. It begins at the working directory of the process, which may be another one by
    now and may be hidden from root in a container, or of what starts it: so the file there has to be the socket's.
    """
    configured = {text.directory for starter in host.catalog.starters for text in starter.texts if text.directory}
    return [_placed(each, configured) if each.file and _is_relative(each) else each for each in listeners]


def _is_relative(listener: Listener) -> bool:
    return listener.address.startswith("unix:") and listener.address[5:6] not in "/@*"


def _placed(listener: Listener, configured: Iterable[str]) -> Listener:
    directories = list(configured)
    for pid in listener.pids:
        with contextlib.suppress(OSError):
            directories.append(os.readlink(f"/proc/{pid}/cwd"))
    paths = (os.path.normpath(os.path.join(directory, listener.address[len("unix:") :])) for directory in directories)
    # Without blanks, as ss(8) shows all others.
    found = next((path for path in paths if _sockets.file_at(path) == listener.file and path.split() == [path]), "")
    return replace(listener, address=f"unix:{found}") if found else listener


def fitting(listeners: Sequence[Listener], address: str, resolved: str = "", file: str = "") -> Listener | None:
    """The listening socket for an address; for a TCP address also one on all addresses of the host. Pure.

    :param resolved: the path of a unix socket with symlinks resolved
    :param file: what is at that path, see ``_sockets.file_at``: a server whose socket was replaced gets no requests
    """
    if file:
        listeners = [each for each in listeners if each.file in ("", file)]
    wanted = {address, f"unix:{resolved}" if resolved else address}
    if not address.startswith("unix:"):
        host, _colon, port = address.rpartition(":")
        if host in ("localhost", "[::1]", "0.0.0.0") or host.startswith("127."):
            wanted |= {f"{any_host}:{port}" for any_host in ("0.0.0.0", "*", "[::]")}
        if host == "localhost":
            wanted |= {f"127.0.0.1:{port}", f"[::1]:{port}"}
    found = [listener for listener in listeners if listener.address in wanted]
    if not found and address.startswith("unix:/"):
        # Where the path begins is not known, see ``placed``; two with the same name cannot be told apart.
        relative = [each for each in listeners if _is_relative(each)]
        ends = tuple(f"/{each.address[5:]}" for each in relative)
        found = [each for each, end in zip(relative, ends) if any(path.endswith(end) for path in wanted)]
        found = found if len(found) == 1 else []
    return max(found, key=lambda listener: (listener.waiting, listener.pids), default=None)


def outlived(listeners: Sequence[Listener], address: str, resolved: str, file: str) -> list[Listener]:
    """The servers that listen on a path that leads to another socket by now. Pure."""
    paths = {address, f"unix:{resolved}"}
    return [each for each in listeners if file and each.address in paths and each.file not in ("", file)]


def serving(pids: Sequence[int]) -> ListeningProcess | None:
    """The server among the processes that have a socket open: another one than systemd, if there is one."""
    for pid in [*sorted(pid for pid in pids if pid > 1), *(pid for pid in pids if pid == 1)]:
        found = _processes.described(pid)
        if found:
            return found
    return None


def owner(address: str, server: ListeningProcess | None, host: HostCatalog) -> Owner | None:
    """Find what starts the server of a socket: what runs it now, else what names the address.

    :param address: the path of a unix socket, or ``host:port``
    :param server: the process that listens there, None without one
    :param host: see ``process_managers._catalog``
    """
    named = host.catalog.naming(address)
    running = _running(server, named, host) if server else None
    return running or (_owner_of(named[0]) if named else None)


def _running(server: ListeningProcess, named: Sequence[Named], host: HostCatalog) -> Owner | None:
    """What runs a server, None if nothing does that would start it again."""
    program = _starter_programs.of_process(server.pid, host.supervisor)
    if program or server.unit == SUPERVISOR_UNIT:
        known = next((each for each in named if each.starter.program == (program or each.starter.program) != ""), None)
        if known:
            return _owner_of(known)
        listed = host.supervisor.programs.get(program)
        files = (listed.file,) if listed else ()
        return Owner(SUPERVISOR_UNIT, program, files=files) if program else None
    own = user_unit(server.pid)
    if own:
        known = next((each for each in named if (each.starter.unit, each.starter.user) == own), None)
        return Owner(own[0], files=known.files if known else (), user=own[1])
    if server.unit.endswith(".service") and not server.unit.startswith(OTHERS):
        known = next((each for each in named if each.starter.unit == server.unit and not each.starter.user), None)
        if known:
            return _owner_of(known)
        return Owner(server.unit, files=tuple(_starter_units.configurations(server.command, "")[:1]))
    return None


def _owner_of(named: Named) -> Owner:
    starter = named.starter
    return Owner(starter.unit, starter.program, starter.vassal, named.files, starter.user, starter.control)


def user_unit(pid: int) -> tuple[str, str] | None:
    """The service of a user's own systemd that a process belongs to, with the user's name; None if it belongs to none."""
    match = re.search(r"/user@(\d+)\.service/(?:[^\n]*/)?([^/\n]+\.service)(?:/|$)", _processes.text(pid, "cgroup"), re.MULTILINE)
    return (match[2], _accounts.user_name(int(match[1]))) if match else None


@dataclass(frozen=True)
class SocketSetting:
    """Mode and owner of the socket in a uWSGI configuration.

    :ivar mode: -1 if not set
    :ivar user: "" if not set, as ``group``
    :ivar changed: modification time of the file, seconds since the epoch
    """

    file: str
    mode: int = -1
    user: str = ""
    group: str = ""
    changed: float = 0.0


def setting(files: Sequence[str], command: Sequence[str] = ()) -> SocketSetting | None:
    """Read the socket's mode and owner from the first file that sets them.

    :param command: the command line of the server, which may name further files
    """
    for file in [*files, *(each for each in _starter_units.configurations(command, "") if each not in files)]:
        found = parsed_setting(_untrusted.configuration(file), file)
        if found.mode >= 0 or found.user or found.group:
            with contextlib.suppress(OSError):
                found = replace(found, changed=os.stat(file).st_mtime)
            return found
    return None


def parsed_setting(text: str, file: str = "") -> SocketSetting:
    """Parse the socket's mode and owner in a uWSGI configuration; ``chmod-socket`` without a value is 666. Pure."""
    mode = re.findall(r"^[ \t]*(?:- )?\"?chmod-socket\"?[ \t]*(?:[=:][ \t]*\"?(\w*)\"?)?[ \t]*,?$", text, re.MULTILINE)
    owner_words = re.findall(r"^[ \t]*(?:- )?\"?chown-socket\"?[ \t]*[=:][ \t]*\"?([\w.:-]+)", text, re.MULTILINE)
    user, _colon, group = owner_words[-1].partition(":") if owner_words else ("", "", "")
    digits = mode[-1] if mode else ""
    number = int(digits, 8) if re.fullmatch(r"[0-7]{3,4}", digits) else (0o666 if mode else -1)
    return SocketSetting(file, number, user, group)
