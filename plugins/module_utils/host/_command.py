# SPDX-License-Identifier: GPL-3.0-or-later
"""Running other programs, from any thread, as any user."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BASE_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""The variables that every program gets."""

TIMED_OUT = 124
"""The exit code of a program that was stopped at the time limit, as timeout(1) has it."""


@dataclass(frozen=True)
class Completed:
    """A program that has ended.

    :ivar code: its exit code; as in a shell 127 if there is no such program and 126 if it may not be run, and as with timeout(1)
        124 if it was killed at the time limit
    :ivar output: what it printed, stdout and stderr together
    """

    argv: tuple[str, ...]
    code: int
    output: str

    @property
    def last_line(self) -> str:
        """The last line of the output that is not blank, where most programs put the cause; a sentence if there is no output."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else f"{self.argv[0]} ended with code {self.code} and no output"


def run(
    argv: Sequence[str],
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    directory: str = "/",
    timeout: float | None = None,
    stdin: bytes | int | None = None,
    umask: int = 0o022,
) -> Completed:
    """Run a program to its end and keep what it prints, stdout and stderr together. It does not fail: see ``Completed.code``.

    :param user: run it as this user, with the groups that the user database has; the current user if not given, or not root
    :param environment: variables of the program, in addition to PATH, LANG, HOME and USER; nothing else is inherited
    :param timeout: seconds after which it is killed; None for no limit
    :param stdin: what it reads, or a descriptor that it reads from; nothing by default
    :raises KeyError: there is no such user
    """
    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    base = {**BASE_ENVIRONMENT, "HOME": "/root", "USER": "root"}
    if user is not None:
        account = pwd.getpwnam(user)
        base.update(HOME=account.pw_dir, USER=user)
        if os.geteuid() == 0:
            uid, gid, groups = account.pw_uid, account.pw_gid, os.getgrouplist(user, account.pw_gid)
    try:
        completed = subprocess.run(
            list(argv),
            cwd=directory,
            env={**base, **(environment or {})},
            input=stdin if isinstance(stdin, bytes) else None,
            stdin=None if isinstance(stdin, bytes) else subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            umask=umask,
            check=False,
            user=uid,
            group=gid,
            extra_groups=groups,
        )
    except FileNotFoundError as error:
        return Completed(tuple(argv), 127, f"{error.filename or argv[0]}: no such file or directory")
    except PermissionError as error:
        return Completed(tuple(argv), 126, f"{error.filename or argv[0]}: permission denied")
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(errors="replace")
        return Completed(tuple(argv), TIMED_OUT, f"{output}\n{argv[0]} did not end within {timeout:g} s")
    return Completed(tuple(argv), completed.returncode, completed.stdout.decode(errors="replace"))
