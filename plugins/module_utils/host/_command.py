# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Running other programs, from any thread. Who runs one as another user than the present one is ``host._sandbox``."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

from ansible_collections.wsgi.stack.plugins.module_utils._errors import LONGEST_LINE

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
        return lines[-1][:LONGEST_LINE] if lines else f"{self.argv[0]} ended with code {self.code} and no output"


class Kept:
    """What is kept of the output of a program: its first cause is at the beginning or at the end.

    :param limit: the bytes that are kept at most, half of them of the beginning and half of the end; None for all
    """

    def __init__(self, limit: int | None):
        self._half = None if limit is None else limit // 2
        self._beginning, self._end, self._omitted = bytearray(), bytearray(), 0

    def add(self, chunk: bytes) -> None:
        if self._half is None:
            self._beginning += chunk
            return
        room = self._half - len(self._beginning)
        self._beginning += chunk[:room]
        self._end += chunk[room:]
        excess = max(0, len(self._end) - self._half)
        del self._end[:excess]
        self._omitted += excess

    @property
    def text(self) -> str:
        gap = f"\n[{self._omitted} bytes are left out here]\n".encode() if self._omitted else b""
        return (self._beginning + gap + self._end).decode(errors="replace")


def started(
    argv: Sequence[str],
    environment: Mapping[str, str],
    stdin: int,
    stderr: int,
    directory: str = "/",
    umask: int = 0o022,
) -> subprocess.Popen[bytes]:
    """A program that runs, and that is waited for at the end of its ``with``. Its output is a pipe.

    :param environment: variables of the program, in addition to PATH and LANG; nothing else is inherited
    :raises OSError: if there is no such program, or it may not be run
    """
    # AnsibleModule.run_command() is not for threads: it changes the umask of the whole process.
    return subprocess.Popen(  # pylint: disable=ansible-bad-function
        list(argv),
        cwd=directory,
        env={**BASE_ENVIRONMENT, **environment},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        umask=umask,
    )


def run(
    argv: Sequence[str],
    environment: Mapping[str, str] | None = None,
    directory: str = "/",
    timeout: float | None = None,
    stdin: bytes | int | None = None,
    umask: int = 0o022,
    limit: int | None = None,
) -> Completed:
    """Run a program to its end and keep what it prints, stdout and stderr together. It does not fail: see ``Completed.code``.

    :param environment: variables of the program, in addition to PATH, LANG, HOME and USER; nothing else is inherited
    :param timeout: seconds after which it is killed; None for no limit
    :param stdin: what it reads, or a descriptor that it reads from; nothing by default
    :param limit: bytes of its output that are kept at most, see ``Kept``; for a program that is not the host's own
    """
    kept, deadline = Kept(limit), None if timeout is None else time.monotonic() + timeout
    try:
        with (
            _stdin(stdin) as reading,
            started(
                argv,
                {"HOME": "/root", "USER": "root", **(environment or {})},
                stdin=reading,
                stderr=subprocess.STDOUT,
                directory=directory,
                umask=umask,
            ) as process,
        ):
            try:
                ended = _read(process, deadline, kept)
            finally:
                if process.poll() is None:
                    process.kill()
    except FileNotFoundError as error:
        return Completed(tuple(argv), 127, f"{error.filename or argv[0]}: no such file or directory")
    except PermissionError as error:
        return Completed(tuple(argv), 126, f"{error.filename or argv[0]}: permission denied")
    if not ended:
        return Completed(tuple(argv), TIMED_OUT, f"{kept.text}\n{argv[0]} did not end within {timeout:g} s")
    return Completed(tuple(argv), process.returncode, kept.text)


@contextlib.contextmanager
def _stdin(given: bytes | int | None) -> Iterator[int]:
    if not isinstance(given, bytes):
        yield subprocess.DEVNULL if given is None else given
        return
    with os.fdopen(os.memfd_create("stdin"), "w+b") as stream:
        stream.write(given)
        stream.seek(0)
        yield stream.fileno()


def _read(process: subprocess.Popen[bytes], deadline: float | None, kept: Kept) -> bool:
    """Read what a program prints, and wait for its end.

    :returns: whether it has ended, and has closed its output, before the deadline
    """
    output = cast(IO[bytes], process.stdout)  # a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if (left is not None and left <= 0) or not selector.select(left):
                return False
            chunk = os.read(output.fileno(), 1 << 16)
            if not chunk:
                break
            kept.add(chunk)
    try:
        process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
