# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the kernel knows of listening sockets: the only reader of ss(8)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

USER = re.compile(r'",pid=(\d+),fd=\d+\)(?=,\("|\))')
"""A process in the output of ss(8), as in ``users:(("nginx",pid=7,fd=3))``. Its name may contain all but the whole of another."""

TIMEOUT = 20
"""Seconds after which ss(8) is stopped."""


def waiting(path: str) -> int:
    """How many connections wait in a unix socket's backlog for the server to accept them; 0 if nothing listens there.

    Any user can make a socket with the same name, in a mount namespace or by a line break in the name; it does not count.
    """
    try:
        status = os.stat(path)
    except OSError:
        return 0
    place = [f"ino:{status.st_ino}", f"dev:{device(status.st_dev)}"]
    rows = _rows(_shown("--unix", "--extended", "src", path))
    return sum(int(row[2]) for row in rows if row[4] == path and row[9:11] == place and row[2].isdigit())


@dataclass(frozen=True)
class Listener:
    """A listening socket.

    :ivar address: ``unix:/path``, ``unix:@name`` of the abstract namespace, or ``host:port``
    :ivar waiting: connections in its backlog
    :ivar limit: how many there may be
    :ivar pids: the processes that have it open, as far as this process may see them
    :ivar file: which file a unix socket was bound to, see ``file_at``; "" if that is not known
    :ivar inode: of a unix socket itself, "" of any other
    """

    address: str
    waiting: int
    limit: int
    pids: tuple[int, ...] = ()
    file: str = ""
    inode: str = ""


def listeners() -> list[Listener]:
    """All listening sockets, unix and TCP, of this network namespace, and of all mount namespaces."""
    files = parse_files(_shown("--unix", "--extended"))
    return parse(_shown("--unix", "--tcp", "--numeric", "--processes"), files)


def parse(output: str, files: Mapping[str, str] | None = None) -> list[Listener]:
    """Listening sockets from the output of ss(8), where their Recv-Q is the backlog and Send-Q its limit. Pure.

    Columns: type, state, Recv-Q, Send-Q, address, inode or peer, and then those that the options add.

    :param files: see ``parse_files``
    """
    found = []
    for row in _rows(output):
        if row[2].isdigit() and row[3].isdigit():
            pids = tuple(sorted({int(pid) for pid in USER.findall(" ".join(row[5:]))}))
            unix = row[0].startswith("u_")
            address, inode = (f"unix:{row[4]}", row[5]) if unix else (row[4], "")
            found.append(Listener(address, int(row[2]), int(row[3]), pids, (files or {}).get(inode, ""), inode))
    return found


def parse_files(output: str) -> dict[str, str]:
    """The file that each unix socket was bound to, by the socket's own inode, from what ss(8) shows without processes. Pure."""
    matches = ((row[5], re.search(r"\bino:\d+ dev:\d+/\d+", " ".join(row[6:]))) for row in _rows(output))
    return {inode: match[0] for inode, match in matches if match}


def file_at(path: str) -> str:
    """The file at a path as ss(8) names it, ``ino:7 dev:0/25``; "" if nothing is there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"ino:{status.st_ino} dev:{device(status.st_dev)}"


def device(number: int) -> str:
    """A device number as ss(8) shows it. Pure.

    The kernel tells ss its own form, with 20 bits for the minor number, which ss takes for that of programs. So these are other
    numbers than the device's if it is a disk, or the 257th or a later file system without one.

    :param number: ``st_dev``
    """
    shown = os.major(number) << 20 | os.minor(number)
    return f"{os.major(shown)}/{os.minor(shown)}"


def inodes() -> dict[str, str]:
    """The inode of each listening socket, by its address: ``unix:/path`` or ``host:port``."""
    return parse_inodes(_shown("--unix", "--tcp", "--numeric", "--extended"))


def parse_inodes(output: str) -> dict[str, str]:
    """Inodes from the output of ss(8): of a unix socket the sixth column, of a TCP socket the field ``ino``. Pure."""
    found = {}
    for row in _rows(output):
        if row[0].startswith("u_"):
            found[f"unix:{row[4]}"] = row[5]
        else:
            match = re.search(r"\bino:(\d+)", " ".join(row))
            found[row[4]] = match[1] if match else ""
    return found


def somaxconn() -> int:
    """The longest backlog that the kernel allows (net.core.somaxconn), 0 if it cannot be known."""
    try:
        with open("/proc/sys/net/core/somaxconn", encoding="ascii") as stream:
            return int(stream.read())
    except (OSError, ValueError):
        return 0


def _shown(*options: str) -> str:
    return run(["ss", "--listening", "--no-header", *options], timeout=TIMEOUT).output


def _rows(output: str) -> list[list[str]]:
    rows = (line.split() for line in output.splitlines())
    return [row for row in rows if len(row) > 5 and row[1] == "LISTEN"]
