# SPDX-License-Identifier: GPL-3.0-or-later
"""Run nginx to find out whether it is installed, whether its configuration passes the test, and what is in it.

``nginx -T`` prints nothing if the test fails. The files are read from the disk then, in the same form.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _paths, _syntax

PROGRAM = "nginx"
MAIN = _paths.MAIN
TIMEOUT = 20  # seconds
MASTER = "nginx: master process "
"""How the process title of nginx's master begins; its command line follows."""


def installed() -> bool:
    """Whether there is an nginx on this host."""
    return run([*command(), "-v"], timeout=TIMEOUT).code == 0


def command(command_lines: Mapping[int, Sequence[str]] | None = None) -> list[str]:
    """The program of the running nginx with its options ``-c`` and ``-p``; the plain name if none runs.

    :param command_lines: those of all processes by process id; read from ``/proc`` if not given
    """
    lines = _processes.command_lines() if command_lines is None else command_lines
    title = next((" ".join(words) for _pid, words in sorted(lines.items()) if words[0].startswith(MASTER)), "")
    words = title[len(MASTER) :].split()
    found = [PROGRAM if not words or not words[0].startswith("/") else words[0]]
    for option, value in zip(words, words[1:]):
        if option in ("-c", "-p"):
            found += [option, value]
    return found


def test() -> Completed:
    """Run ``nginx -T`` and remove the empty files that it leaves behind.

    If nginx is stopped, the test creates an empty pid file, which makes a later reload fail. It also creates missing log files.
    """
    called = command()
    main = called[called.index("-c") + 1] if "-c" in called else MAIN
    configuration = _configuration.parse(from_disk(main))
    fresh = [path for path in [configuration.pid or "/run/nginx.pid", *configuration.logs] if not os.path.exists(path)]
    tested = run([*called, "-T"], timeout=TIMEOUT)
    for path in fresh:
        with contextlib.suppress(OSError):
            if os.path.getsize(path) == 0:
                os.unlink(path)
    return tested


def dump() -> str:
    """The configuration in the form of ``nginx -T``, even if it fails the test.

    :raises StackError: nginx is not installed
    """
    tested = test()
    if tested.code == 127:
        raise StackError("nginx", "nginx is not installed on this host; install the package nginx, or name the sockets.")
    return dumped(tested)


def dumped(tested: Completed) -> str:
    """The configuration after a test: as nginx printed it, or from the disk if it failed."""
    if tested.code == 0:
        return tested.output
    words = tested.argv
    return from_disk(words[words.index("-c") + 1] if "-c" in words else MAIN)


def from_disk(main: str = MAIN) -> str:
    """Read the files of a configuration from the disk, in the form of ``nginx -T``.

    :param main: the main configuration file"""
    found: dict[str, str] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop(0)
        if path in found or not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                found[path] = stream.read()
        except OSError:
            continue
        for directive in _syntax.walk(_syntax.parse(found[path], path)):
            if directive.name == "include" and directive.arguments:
                pattern = os.path.join(os.path.dirname(main), directive.arguments[0])
                waiting += sorted(glob.glob(pattern))
    return "".join(f"# configuration file {path}:\n{text}\n" for path, text in found.items())
