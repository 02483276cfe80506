# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The server of an upstream address: what runs there, or is configured to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _queues, _server, _server_options, _units
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_units, _supervisor_files
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Starter
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _owner

OTHER_UNITS = ("user@", "session-", "init.scope", "ssh", "docker", "containerd")
"""Units that a server may run in and that are not its own: sessions and containers."""

BOOT_DIRECTORY = re.compile(r"^d (/\S+) ", re.MULTILINE)
"""The line in the app's tmpfiles.d(5) file that names its runtime directory."""


@dataclass(frozen=True)
class BackendServer:
    """The server of an upstream address, running or configured.

    :ivar unit: the properties of the systemd unit called ``unit_name``
    :ivar owner: what starts it, None if that is not known
    :ivar program: the supervisor program, "" without one
    :ivar restart: the command that restarts it
    :ivar waits: systemd listens and starts the server at the first request
    """

    process: ServerProcess | None = None
    unit: Mapping[str, str] = field(default_factory=dict)
    unit_name: str = ""
    owner: _owner.Owner | None = None
    program: str = ""
    restart: str = ""
    waits: bool = False


def resolved(address: str) -> str:
    """The path of a unix socket with symlinks resolved, "" of any other."""
    return os.path.realpath(address[len("unix:") :]) if address.startswith("unix:/") else ""


def server_of(
    address: str, listener: Listener | None, peer: int, inodes: Mapping[str, str], host: _server.HostFacts
) -> BackendServer:
    """Find the server of an address.

    :param peer: the process at the other end of the test connection, 0 if unknown
    """
    path = resolved(address) or address
    pids: set[int] = set()
    if listener:
        pids = {*listener.pids, *_queues.holders(listener.inode or inodes.get(listener.address, ""), host.links)}
    pid = _server.main_of(pids or [peer], host.everybody)
    process = _processes.described(pid) if pid else None
    own = slot(path)
    owner = slot_owner(*own, process.unit if process else "") if own else _owner.owner(path, process, host.catalog)
    unit_name = owner.unit if owner and not owner.user else "" if owner else process.unit if process else ""
    if unit_name.startswith(OTHER_UNITS):
        unit_name = ""
    unit = _systemd_unit(unit_name)
    triggering = unit_name.endswith(".socket")
    found = BackendServer(
        unit=unit,
        unit_name=unit_name,
        owner=owner,
        program=owner.program if owner else "",
        restart=(owner.restart() if owner else "") or (f"systemctl restart {_owner.short(unit_name)}" if unit_name else ""),
        waits=bool(listener) and not pid and bool(triggering or unit.get("TriggeredBy")),
    )
    if own and owner:
        owner = replace(owner, vassal="")  # The vassal file of a slot only names its release: it has no options.
    return replace(found, process=_process_of(pid, owner, found, triggering, host))


def _systemd_unit(name: str) -> Mapping[str, str]:
    """The properties of a unit, also by an alias of it."""
    found = _units.show([name])
    return found.get(name) or next(iter(found.values()), {})


def _process_of(
    pid: int, owner: _owner.Owner | None, server: BackendServer, triggering: bool, host: _server.HostFacts
) -> ServerProcess | None:
    """Describe the running process of a server, or the one that its configuration would start.

    :param pid: 0 if it does not run
    :param triggering: its unit is a .socket, which starts another unit
    """
    directory, words = _units.directory(server.unit), _units.command(server.unit)
    if server.program:
        directory, words = _program_command(owner.files if owner else (), server.program, host)
    elif owner and owner.vassal:
        directory = os.path.dirname(owner.vassal)
    elif owner and owner.user:
        directory, words = _command_of(owner, host)
    if pid:
        return _server.running(pid, host, server.unit if not server.program else {}, directory)
    if owner and owner.vassal:
        return _server.configured(["uwsgi", "--ini", owner.vassal], directory, host)
    if words and not triggering:
        starter = _starter(owner, host) if owner else None
        directory, words = _starter_units.server_command(starter.texts if starter else ()) or (directory, words)
        return _server.configured(words, directory, host, server.unit_name, server.program)
    return None


def _starter(owner: _owner.Owner, host: _server.HostFacts) -> Starter | None:
    """What a server's owner is in the catalog."""
    key = (owner.unit, owner.program, owner.vassal, owner.user)
    known = (each for each in host.catalog.catalog.starters if (each.unit, each.program, each.vassal, each.user) == key)
    return next(known, None)


def _command_of(owner: _owner.Owner, host: _server.HostFacts) -> tuple[str, list[str]]:
    """The directory and the command of a unit as its file has them."""
    starter = _starter(owner, host)
    text = starter.texts[0] if starter and starter.texts else None
    return (text.directory, _server_options.words(text.text.splitlines()[-1] if text.text else "")) if text else ("", [])


def slot(path: str) -> tuple[_layout.Layout, str] | None:
    """The app and slot of this collection that a socket belongs to, None if it belongs to none.

    ``wsgi_runtime_directory`` may be any directory. The tmpfiles.d(5) file that restores the live slot at boot names that of its
    app; an app that has never been live has no such file and is known only below the default one.
    """
    directory, file = os.path.split(path)
    name = file.removesuffix(".sock")
    layout = _layout.Layout(os.path.basename(directory), runtime_directory=os.path.dirname(directory))
    if name not in _layout.SLOTS or file == name:
        return None
    known = BOOT_DIRECTORY.findall(_untrusted.configuration(layout.boot_link)) or [_layout.Layout(layout.name).runtime_directory]
    return (layout, name) if known == [directory] else None


def slot_owner(layout: _layout.Layout, slot: str, unit: str) -> _owner.Owner:
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


def _program_command(files: Iterable[str], name: str, host: _server.HostFacts) -> tuple[str, list[str]]:
    """The directory and the command of a supervisor program."""
    known = host.catalog.supervisor.programs.get(name)
    if known:
        return known.options.get("directory", ""), _server_options.words(known.options.get("command", ""))
    for path in files:
        options = _supervisor_files.programs(_untrusted.configuration(path)).get(name)
        if options:
            return options.get("directory", ""), _server_options.words(options.get("command", ""))
    return "", []


def slot_messages(path: str, server: BackendServer) -> list[str]:
    """The fields that select the messages of a slot in the journal; none if it is no slot, or if it logs elsewhere."""
    found = slot(path)
    if found is None or server.program:
        return []
    if server.unit_name == _layout.EMPEROR:
        return [_systemd.written_by(server.unit_name), f"SYSLOG_IDENTIFIER={found[0].instance(found[1])}"]
    # Only of the present or last run: what was wrong before may have been fixed.
    invocation = server.unit.get("InvocationID", "")
    return [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else [_systemd.written_by(server.unit_name)]
