# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Files of sites that nginx does not include: without a link, with the wrong ending, or in a directory that nothing includes."""

from __future__ import annotations

import fnmatch
import os
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _reach
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _edit
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _owner

AVAILABLE, ENABLED, OWN = "sites-available", "sites-enabled", "conf.d"

LEFTOVER = (
    ".dpkg-*",
    ".ucf-*",
    "*~",
    "*.bak*",
    "*.old*",
    "*.orig*",
    "*.save*",
    "*.swp",
    "*.disabled*",
    "*.off",
    "*.backup*",
    "*.txt",
)
"""Names of files that are meant to be left out."""

ENDINGS = (".cfg", ".cnf", ".config", ".nginx")
"""Endings that are meant to be ``.conf``."""

FILES = 200
"""Files that are read at most."""


@dataclass(frozen=True)
class Unused:
    """A file with server blocks that nginx has not read."""

    path: str
    servers: tuple[ServerBlock, ...]


def look(configuration: Configuration) -> list[Finding]:
    """Find forgotten sites of this host."""
    if not configuration.files:
        return []
    root = os.path.dirname(configuration.files[0])
    unused = find(root, configuration)
    if not unused:
        return []
    listeners = _sockets.listeners()
    addresses = {up.address for each in unused for server in each.servers for up in server.upstreams}
    running = {address for address in addresses if _runs(address, listeners)}
    return [finding for each in unused for finding in judge(each, configuration, running, root)]


def _runs(address: str, listeners: Sequence[_sockets.Listener]) -> bool:
    resolved = os.path.realpath(address[len("unix:") :]) if address.startswith("unix:/") else ""
    return _owner.fitting(listeners, address, resolved) is not None


def find(root: str, configuration: Configuration) -> list[Unused]:
    """The files in nginx's directories for sites that it has not read, and that have sites with an app in them."""
    read = {os.path.realpath(path) for path in configuration.files}
    found = []
    for directory in (ENABLED, OWN, AVAILABLE):
        for name in _untrusted.entries(os.path.join(root, directory))[:FILES]:
            path = os.path.join(root, directory, name)
            if os.path.realpath(path) in read or any(fnmatch.fnmatch(name, pattern) for pattern in LEFTOVER):
                continue
            servers = _servers(path)
            if any(server.upstreams for server in servers):
                read.add(os.path.realpath(path))
                found.append(Unused(path, servers))
    return found


def _servers(path: str) -> tuple[ServerBlock, ...]:
    text = _untrusted.text_or_none(path) or ""
    return _configuration.parse(f"# configuration file {path}:\nhttp {{ {text}\n}}\n").servers if "server" in text else ()


def judge(unused: Unused, configuration: Configuration, running: Collection[str], root: str) -> list[Finding]:
    """Judge a file that nginx has not read. It looks for a file in the way of the fix.

    A site that is not linked may be switched off on purpose. It is not if its app runs and no other site leads there.

    :param running: the addresses at which something listens
    :param root: nginx's directory
    """
    names = _reach.plain(name for server in unused.servers for name in server.names)
    taken = {name.lower() for server in configuration.servers for name in server.names}
    if not names or any(name.lower() in taken for name in names):
        return []
    used = {upstream.address for upstream in configuration.upstreams}
    addresses = {upstream.address for server in unused.servers for upstream in server.upstreams}
    directory, file = os.path.split(unused.path)
    linked = os.path.basename(directory) == AVAILABLE
    forgotten = bool(addresses & set(running) - used)
    if linked and not forgotten:
        return []
    shown = shlex.quote(unused.path)
    patterns = [os.path.join(root, pattern) for pattern in configuration.includes]
    target, command = "", ""
    if linked:
        target = os.path.join(root, ENABLED, file)
        command = f"ln -s {shlex.quote(f'../{AVAILABLE}/{file}')} {shlex.quote(target)}"
    else:
        stem, ending = os.path.splitext(unused.path)
        target = f"{stem if ending in ENDINGS else unused.path}.conf"
        command = f"mv {shown} {shlex.quote(target)}"
    fits = any(fnmatch.fnmatch(target, pattern) for pattern in patterns) and not os.path.lexists(target)
    undo = f"rm {shlex.quote(target)}" if linked else f"mv {shlex.quote(target)} {shown}"
    fix = (
        f"{command} && {{ {_edit.LOAD} || {undo}; }}"
        if fits
        else f"Add 'include {directory}/*' to the block http of {root}/nginx.conf."
    )
    fix = fix if not os.path.lexists(target) or target == unused.path else f"Move {unused.path} to where nginx includes it."
    what = "has no link in sites-enabled" if linked else "matches no 'include'"
    message = f"nginx does not read {unused.path}: it {what}, so visitors of {', '.join(names)} get another site."
    evidence = (
        *(f"include {pattern}" for pattern in patterns),
        *(f"{each}: an app listens" for each in sorted(addresses & set(running))),
    )
    return [Finding(WARNING if forgotten else NOTE, "file_not_included", message, evidence, fix)]
