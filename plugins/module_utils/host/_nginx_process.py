# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which process is nginx's master: the only place that decides it.

Any user can start a process that calls itself ``nginx: master process /tmp/x -c /tmp/y``, and root would run that program with
that configuration. So a master counts only if it was root's from its start and only root can replace its program; then its
title is true as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _processes, _untrusted

PROGRAM = "nginx"
MASTER = "nginx: master process "
"""How the process title of a master begins; its command line follows."""


@dataclass(frozen=True)
class Master:
    """A master process of nginx.

    :ivar program: the path of the program that it runs
    :ivar options: those of its options that name the configuration: ``-c``, ``-p`` and their values
    """

    pid: int
    program: str = PROGRAM
    options: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The program with its options."""
        return [self.program, *self.options]


def masters() -> list[Master]:
    """The masters of this host, that of nginx.service first, then by process id; without those of containers."""
    found = []
    for pid, _start in sorted(_processes.all_processes()):
        title = " ".join(_processes.command_line(pid)) if _processes.is_roots(pid) else ""
        if title.startswith(MASTER) and not _is_nested(pid) and _has_our_root(pid):
            program = _program(pid)
            if program:
                found.append(Master(pid, program, options(title)))
    return sorted(found, key=lambda master: _processes.unit(master.pid) != "nginx.service")


def workers(master: int) -> list[int]:
    """The processes that a master started, the youngest first. Only root's own says what it is, so other kinds are among them."""
    everybody = _processes.all_processes()
    mine = sorted((process for process, parent in everybody.items() if parent == master), key=lambda each: each[1], reverse=True)
    return [pid for pid, _start in mine if not (_processes.is_roots(pid) and _processes.command_line(pid)[0].startswith(MASTER))]


def pretenders() -> list[str]:
    """The processes, in words, that call themselves nginx's master and cannot be believed."""
    believed = {master.pid for master in masters()}
    lines = sorted(_processes.command_lines().items())
    found = [pid for pid, words in lines if words[0].startswith(MASTER.rstrip()) and pid not in believed]
    return [f"process {pid} of user {_user(pid)}" for pid in found if not _is_nested(pid)]


def options(title: str) -> tuple[str, ...]:
    """The options that name the configuration, from a master's title. Pure."""
    words = title[len(MASTER) :].split()
    pairs = [(option, value) for option, value in zip(words, words[1:]) if option in ("-c", "-p")]
    return tuple(word for pair in pairs for word in pair)


def _is_nested(pid: int) -> bool:
    """Whether a process is in a container, where it has one more process id for each nested PID namespace; also if it is gone."""
    try:
        ids = [len(_processes.status(each).get("NSpid", ["0"])) for each in (pid, "self")]
    except OSError:
        return True
    return ids[0] != ids[1]


def _has_our_root(pid: int) -> bool:
    """Whether a process of root's has the root directory of this one. Only root may look."""
    try:
        return os.geteuid() != 0 or os.path.samestat(os.stat(f"/proc/{pid}/root/."), os.stat("/"))
    except OSError:
        return False


def _program(pid: int) -> str:
    """The program of a process of root's, "" if somebody else could replace it."""
    try:
        path = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        # Another user than root may not look, and runs a program with no more rights than that user has.
        return PROGRAM if os.geteuid() != 0 else ""
    path = path.removesuffix(_processes.DELETED)  # after an upgrade
    return path if _untrusted.is_roots_alone(path) else ""


def _user(pid: int) -> str:
    try:
        return _accounts.user_name(int(_processes.status(pid)["Uid"][0]))
    except OSError:
        return "unknown"
