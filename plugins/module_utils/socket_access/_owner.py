# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Who owns a socket: the listening process, its unit, and the configuration files that name it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _supervisor_files

UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system")
SUPERVISOR = "/etc/supervisor/conf.d"
SUPERVISOR_UNIT = "supervisor.service"
DEBIAN_APPS = "/etc/uwsgi/apps-enabled"
CONFIGURATION = re.compile(r"[^\s\"'=:;,]+\.(?:ini|xml|ya?ml|json|conf|py|toml)(?![\w.])")
"""A name of a configuration file in a command line."""

CONFIGURATIONS, LONGEST = 20, 1024
"""Configuration files that are read of one command line at most, and characters of a word in which they are looked for."""


@dataclass(frozen=True)
class Owner:
    """What starts the server of a socket.

    :ivar unit: the systemd unit
    :ivar program: the supervisor program, "" without one
    :ivar vassal: the file of a uWSGI Emperor's vassal, "" without one
    :ivar files: the configuration files that name the socket
    """

    unit: str
    program: str = ""
    vassal: str = ""
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The owner as messages name it."""
        if self.program:
            return f"the supervisor program {self.program}"
        return f"the vassal {self.vassal}" if self.vassal else self.unit

    def restart(self) -> str:
        """The command that restarts the server, or starts it; "" if unknown."""
        if self.program:
            return f"supervisorctl restart {shlex.quote(self.program)}"
        if self.vassal and _systemd.is_active(self.unit):
            return f"touch --no-create {shlex.quote(self.vassal)}"
        return f"systemctl restart {short(self.unit)}" if self.unit else ""

    def start(self) -> str:
        """The command that starts a stopped server; "" if unknown."""
        if self.program or self.vassal:
            return self.restart()
        return f"systemctl start {short(self.unit)}" if self.unit else ""


def short(unit: str) -> str:
    """A service name without its suffix, as systemctl accepts it in a shell: ``nginx`` for ``nginx.service``."""
    return shlex.quote(unit.removesuffix(".service"))


def fitting(listeners: Sequence[Listener], address: str, resolved: str = "") -> Listener | None:
    """The listening socket for an address; for a TCP address also one on all addresses of the host. Pure.

    :param resolved: the path of a unix socket with symlinks resolved
    """
    wanted = {address, f"unix:{resolved}" if resolved else address}
    if not address.startswith("unix:"):
        host, _colon, port = address.rpartition(":")
        if host in ("localhost", "[::1]", "0.0.0.0") or host.startswith("127."):
            wanted |= {f"{any_host}:{port}" for any_host in ("0.0.0.0", "*", "[::]")}
        if host == "localhost":
            wanted |= {f"127.0.0.1:{port}", f"[::1]:{port}"}
    found = [listener for listener in listeners if listener.address in wanted]
    if not found and address.startswith("unix:/"):
        # ss(8) lists a socket bound by a relative path under that; two with the same name cannot be told apart.
        relative = [each for each in listeners if each.address.startswith("unix:") and each.address[5:6] not in "/@*"]
        ends = tuple(f"/{each.address[5:]}" for each in relative)
        found = [each for each, end in zip(relative, ends) if any(path.endswith(end) for path in wanted)]
        found = found if len(found) == 1 else []
    return max(found, key=lambda listener: (listener.waiting, listener.pids), default=None)


def serving(pids: Sequence[int]) -> ListeningProcess | None:
    """The server among the processes that have a socket open: another one than systemd, if there is one."""
    for pid in [*sorted(pid for pid in pids if pid > 1), *(pid for pid in pids if pid == 1)]:
        found = _processes.described(pid)
        if found:
            return found
    return None


def owner(path: str, server: ListeningProcess | None = None) -> Owner | None:
    """Find what starts the server of a socket: by the unit of the running server, else by files that name the path."""
    named = _naming(path)
    unit = server.unit if server else ""
    if unit == SUPERVISOR_UNIT:
        program = _program(server.pid if server else 0)
        found = next((each for each in named if each.program), None)
        files = found.files if found else ()
        return Owner(unit, program or (found.program if found else ""), "", files)
    if unit.endswith(".service") and not unit.startswith(("user@", "ssh", "docker", "containerd", "cron")):
        found = next((each for each in named if each.unit == unit), None)
        files = found.files if found else tuple(_named_files(server.command if server else (), "", path))
        return Owner(unit, "", found.vassal if found else "", files)
    return named[0] if named else None


def _program(pid: int) -> str:
    """The supervisor program that a process belongs to, "" if it belongs to none."""
    parents = {process[0]: parent for process, parent in _processes.all_processes().items()}
    family = set()
    while pid > 1 and pid not in family:
        family.add(pid)
        pid = parents.get(pid, 0)
    shown = run(["supervisorctl", "status"], timeout=10).output
    for name, number in re.findall(r"^(\S+)\s+RUNNING\s+pid (\d+)", shown, re.MULTILINE):
        if int(number) in family:
            return name
    return ""


def names(text: str, path: str, directory: str = "") -> bool:
    """Whether a text contains a path, in full or relative to its directory. Pure.

    :param directory: the directory that relative paths in the text start from, "" if unknown
    """
    if re.search(rf"{re.escape(path)}(?![\w./-])", text):
        return True
    relative = directory and os.path.normpath(directory) == os.path.dirname(path)
    return bool(relative and re.search(rf"(?<![\w/.-]){re.escape(os.path.basename(path))}(?![\w.-])", text))


def _naming(path: str) -> list[Owner]:
    """What starts a server at a path, by the files on disk, the most certain first."""
    return [*_units(path), *_programs(path), *_debian_apps(path)]


def _units(path: str) -> Iterator[Owner]:
    seen = set()
    for directory in UNITS:
        for file in _matching(directory, ".service", ".socket"):
            unit = os.path.basename(file)
            if unit in seen or unit.endswith(("@.service", "@.socket")):
                continue
            seen.add(unit)
            text = _untrusted.configuration(file)
            for drop_in in _matching(f"{directory}/{unit}.d", ".conf"):
                text += _untrusted.configuration(drop_in)
            match = re.search(r"^WorkingDirectory=-?(/\S*)", text, re.MULTILINE)
            working = match[1] if match else ""
            commands = "\n".join(re.findall(r"^(?:Exec\w+|ListenStream|Environment)=.*(?:\\\n.*)*", text, re.MULTILINE))
            if names(commands, path, working):
                yield Owner(unit, files=(file,))
                continue
            files = _named_files(commands.split(), working, path)
            if files:
                yield Owner(unit, files=tuple(files))
                continue
            vassal = _vassal(commands, working, path)
            if vassal:
                yield Owner(unit, vassal=vassal, files=(vassal,))


def _vassal(commands: str, working: str, path: str) -> str:
    """The vassal file that names a path, if the commands start a uWSGI Emperor."""
    text = commands + "\n".join(_untrusted.configuration(file) for file in _configurations(commands.split(), working))
    for directory in re.findall(r"(?:--emperor[ =]|^[ \t]*emperor[ \t]*=[ \t]*)(/\S+)", text, re.MULTILINE):
        for file in _matching(directory, ".ini"):
            if names(_untrusted.configuration(file), path, _chdir(_untrusted.configuration(file))):
                return file
    return ""


def _programs(path: str) -> Iterator[Owner]:
    for file in _matching(SUPERVISOR, ".conf"):
        for name, options in _supervisor_files.programs(_untrusted.configuration(file)).items():
            text, working = "\n".join(options.values()), options.get("directory", "")
            if names(text, path, working):
                yield Owner(SUPERVISOR_UNIT, name, files=(file,))
            elif _named_files(text.split(), working, path):
                yield Owner(SUPERVISOR_UNIT, name, files=tuple(_named_files(text.split(), working, path)))


def _debian_apps(path: str) -> Iterator[Owner]:
    """The apps of Debian's package uwsgi, whose sockets are in /run/uwsgi/app by default."""
    for file in _matching(DEBIAN_APPS, ".ini"):
        name, text = os.path.splitext(os.path.basename(file))[0], _untrusted.configuration(file)
        if path == f"/run/uwsgi/app/{name}/socket" or names(text, path, _chdir(text)):
            yield Owner("uwsgi.service", files=(file,))


def _matching(directory: str, *endings: str) -> list[str]:
    """The files in a directory whose names have one of some endings; hidden ones are left out."""
    names = (name for name in _untrusted.entries(directory) if name.endswith(endings) and not name.startswith("."))
    return [os.path.join(directory, name) for name in names]


def _configurations(words: Sequence[str], directory: str) -> list[str]:
    found: list[str] = []
    for word in words:
        for name in CONFIGURATION.findall(word[:LONGEST]):
            path = os.path.join(directory or "/", name)
            if len(found) < CONFIGURATIONS and path not in found and os.path.isfile(path):
                found.append(path)
    return found


def _named_files(words: Sequence[str], directory: str, path: str) -> list[str]:
    """The configuration files in a command line that name a path."""
    found = []
    for file in _configurations(words, directory):
        text = _untrusted.configuration(file)
        if names(text, path, _chdir(text) or directory or os.path.dirname(file)):
            found.append(file)
    return found


def _chdir(text: str) -> str:
    match = re.search(r"^[ \t]*chdir[ \t]*=[ \t]*[\"']?(/[^\s\"']*)", text, re.MULTILINE)
    return match[1] if match else ""


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
    for file in [*files, *(each for each in _configurations(command, "") if each not in files)]:
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
