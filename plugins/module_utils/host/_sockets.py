# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel knows of listening unix sockets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run


def waiting(path: str) -> int:
    """How many connections wait in a socket's backlog for the server to accept them; 0 if nobody listens there."""
    return parse(run(["ss", "--unix", "--listening", "--no-header"]).output).get(path, 0)


def parse(output: str) -> dict[str, int]:
    """The backlog by path, from what ss(8) prints: for a listening socket its column Recv-Q is the backlog.

    Columns: type, state, Recv-Q, Send-Q, path, inode, peer, peer's inode.
    """
    found: dict[str, int] = {}
    for row in (line.split() for line in output.splitlines()):
        if len(row) > 4 and row[1] == "LISTEN" and row[2].isdigit():
            path = _known_as(row[4])
            found[path] = found.get(path, 0) + int(row[2])
    return found


def _known_as(path: str) -> str:
    """The name by which a socket is found: the kernel shows what a gunicorn of ours called it first, with its process id."""
    return re.sub(r"/(blue|green)\.\d+\.sock$", r"/\1.sock", path)


@dataclass(frozen=True)
class Listener:
    """A listening socket.

    :ivar address: ``unix:/path``, ``unix:@name`` of the abstract namespace, or ``host:port``
    :ivar waiting: connections in its backlog, of ``limit``
    :ivar pids: the processes that have it open, as far as one may see them
    """

    address: str
    waiting: int
    limit: int
    pids: tuple[int, ...] = ()


def listeners() -> list[Listener]:
    """All listening sockets of this network namespace, unix and TCP; those of all mount namespaces."""
    command = ["ss", "--unix", "--tcp", "--listening", "--numeric", "--processes", "--no-header"]
    return parse_listeners(run(command, timeout=20).output)


def parse_listeners(output: str) -> list[Listener]:
    """The same from what ss(8) prints: for a listening socket Recv-Q is its backlog and Send-Q the limit of that."""
    found = []
    for row in (line.split() for line in output.splitlines()):
        if len(row) > 4 and row[1] == "LISTEN" and row[2].isdigit() and row[3].isdigit():
            pids = tuple(sorted({int(pid) for pid in re.findall(r"\bpid=(\d+)", " ".join(row[5:]))}))
            address = f"unix:{_known_as(row[4])}" if row[0].startswith("u_") else row[4]
            found.append(Listener(address, int(row[2]), int(row[3]), pids))
    return found
