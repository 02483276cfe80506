# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel knows of listening unix sockets."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils._process import run


def waiting(path: str) -> int:
    """How many connections wait in a socket's backlog for the server to accept them; 0 if nobody listens there."""
    return parse(run(["ss", "--unix", "--listening", "--no-header"]).output).get(path, 0)


def parse(output: str) -> dict[str, int]:
    """The backlog by path, from what ss(8) prints: for a listening socket its column Recv-Q is the backlog.

    Columns: type, state, Recv-Q, Send-Q, path, inode, peer, peer's inode.
    """
    rows = (line.split() for line in output.splitlines())
    return {row[4]: int(row[2]) for row in rows if len(row) > 4 and row[1] == "LISTEN" and row[2].isdigit()}
