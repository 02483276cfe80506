# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Run nginx to find out whether it is installed, whether its configuration passes the test, and what is in it.

``nginx -T`` prints nothing if the test fails. The files are read from the disk then, in the same form.
"""

from __future__ import annotations

import contextlib
import glob
import os

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _nginx_process, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _paths, _syntax

MAIN = _paths.MAIN
TIMEOUT = 20  # seconds
FILES = 5000
"""Files of a configuration that are read at most."""


def installed() -> bool:
    """Whether there is an nginx on this host."""
    return run([*command(), "-v"], timeout=TIMEOUT).code == 0


def command() -> list[str]:
    """The program of the running nginx with its options ``-c`` and ``-p``; the plain name if none runs."""
    running = _nginx_process.masters()
    return running[0].command if running else [_nginx_process.PROGRAM]


def test() -> Completed:
    """Run ``nginx -T`` and remove the empty files that it leaves behind.

    If nginx is stopped, the test creates an empty pid file, which makes a later reload fail. It also creates missing log files.
    One in a directory that somebody else can change stays: its path may lead elsewhere by now.
    """
    called = command()
    main = called[called.index("-c") + 1] if "-c" in called else MAIN
    configuration = _configuration.parse(from_disk(main))
    paths = [configuration.pid or "/run/nginx.pid", *configuration.logs]
    fresh = [path for path in paths if not os.path.exists(path) and _is_in_roots_directory(path)]
    tested = run([*called, "-T"], timeout=TIMEOUT)
    for path in fresh:
        with contextlib.suppress(OSError):
            if os.path.getsize(path) == 0:
                os.unlink(path)
    return tested


def _is_in_roots_directory(path: str) -> bool:
    return _untrusted.is_roots_alone(os.path.realpath(os.path.dirname(path)))


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
    while waiting and len(found) < FILES:
        path = waiting.pop(0)
        text = None if path in found else _untrusted.text_or_none(path)
        if text is None:
            continue
        found[path] = text
        for directive in _syntax.walk(_syntax.parse(found[path], path)):
            if directive.name == "include" and directive.arguments:
                pattern = os.path.join(os.path.dirname(main), directive.arguments[0])
                waiting += sorted(glob.glob(pattern))
    return "".join(f"# configuration file {path}:\n{text}\n" for path, text in found.items())
