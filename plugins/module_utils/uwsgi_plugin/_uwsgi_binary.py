# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Facts about the installed uWSGI that its plugins depend on."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._uwsgi import PROGRAM
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

TIMEOUT = 30  # seconds

HEADERS = {
    "-DUWSGI_UUID": "uuid/*",
    "-DUWSGI_CAP": "sys/capability.h",
    "-DUWSGI_SSL": "openssl/*",
    "-DUWSGI_PCRE": "pcre.h",
    "-DUWSGI_PCRE2": "pcre2.h",
    "-DUWSGI_ZLIB": "zlib.h",
}
"""The headers that uWSGI's own header includes, by the macro that makes it do so, as ``host._packages.HEADERS`` has them. Those
for XML, YAML and JSON are used by the core alone."""


@dataclass(frozen=True)
class Core:
    """The installed uWSGI.

    :ivar version: as it says itself, ``2.0.21-debian``
    :ivar header: the MD5 digest of its header, as Debian's package ``uwsgi-abi-<digest>`` has it
    :ivar flags: the macros that it was compiled with, which change the layout of structures that plugins use
    :ivar directory: where it looks for plugins
    """

    version: str
    header: str
    flags: tuple[str, ...]
    directory: str

    @property
    def key(self) -> dict[str, Any]:
        """What a plugin has to be built for. uWSGI itself compares none of it: a plugin for another core loads silently, then
        hangs, and ignores SIGTERM.
        """
        return {"version": self.version, "header": self.header, "flags": list(self.flags)}

    @property
    def release(self) -> str:
        """The version without what a distribution adds to it."""
        return self.version.partition("-")[0]


def read() -> Core:
    """Ask the installed uWSGI.

    :raises StackError: there is none, or it cannot have plugins
    """
    version, header, flags = (_ask(option) for option in ("--version", "--dot-h", "--cflags"))
    directory = plugin_directory(flags)
    if not directory.startswith("/"):
        fix = "install the package uwsgi-core in its place, or set uwsgi_install_from: venv"
        raise StackError("plugin", f"{PROGRAM} has no directory for plugins (found {directory or 'none'!r}); {fix}.")
    return Core(version.strip(), hashlib.md5(header.encode()).hexdigest(), macros(flags), directory)


def macros(flags: str) -> tuple[str, ...]:
    """The macros among the flags of a compiler, each once, sorted."""
    return tuple(sorted({word for word in shlex.split(flags) if word.startswith("-D")}))


def plugin_directory(flags: str) -> str:
    """The directory of plugins that is compiled into a uWSGI with these flags, "" if there is none."""
    found = re.search(r'-DUWSGI_PLUGIN_DIR="(.*)"$', "\n".join(macros(flags)), re.MULTILINE)
    return found[1] if found else ""


def packages(flags: Iterable[str]) -> list[str]:
    """The Debian packages with the headers that every plugin of a uWSGI with these macros includes."""
    return sorted(_packages.HEADERS[HEADERS[flag]] for flag in flags if flag in HEADERS)


def _ask(option: str) -> str:
    asked = run([PROGRAM, option], timeout=TIMEOUT)
    if asked.code == 127:
        raise StackError("plugin", f"there is no {PROGRAM}; install the package uwsgi-core.")
    if asked.code:
        cause = (
            f"{PROGRAM} does not run ({decisive_line(asked.output) or 'it printed nothing'}); reinstall the package uwsgi-core."
        )
        raise StackError("plugin", cause, asked.output)
    return asked.output
