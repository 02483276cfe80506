# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The one reader of supervisor's configuration files. All of it is pure."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass

CONFIGURATION = "/etc/supervisor/supervisord.conf"

PROGRAM_SECTIONS = ("program:", "fcgi-program:")


@dataclass(frozen=True)
class Interface:
    """How to reach a supervisord.

    :ivar path: its unix socket
    :ivar credentials: ``user:password``, "" if it wants none
    """

    path: str
    credentials: str = ""


def parse(text: str) -> configparser.RawConfigParser:
    """The sections and options of a file, as supervisor itself reads it; expansions such as ``%(here)s`` are left as they are.

    Source: class UnhosedConfigParser in supervisor/options.py.

    :raises configparser.Error: supervisor would refuse the file, too
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    return parser


def interface(text: str, directory: str = os.path.dirname(CONFIGURATION)) -> Interface | None:
    """How to reach a supervisord, from the text of its configuration; None if it does not listen on a unix socket.

    The server's password may be a digest; then the section of supervisorctl has it in clear text.

    :param directory: of the configuration, for ``%(here)s``
    :raises configparser.Error: supervisor would refuse the file, too
    """
    parser = parse(text)
    if not parser.has_option("unix_http_server", "file"):
        return None

    def value(section: str, option: str) -> str:
        return parser.get(section, option).replace("%(here)s", directory).replace("%%", "%")

    path = value("unix_http_server", "file")
    for section in ("supervisorctl", "unix_http_server"):
        if parser.has_option(section, "username") and parser.has_option(section, "password"):
            return Interface(path, f"{value(section, 'username')}:{value(section, 'password')}")
    return Interface(path)


def programs(text: str) -> dict[str, dict[str, str]]:
    """The programs in the text of a file, by name, each with its options; none if supervisor would refuse the file."""
    try:
        parser = parse(text)
    except configparser.Error:
        return {}
    sections = [name for name in parser.sections() if name.startswith(PROGRAM_SECTIONS)]
    return {name.partition(":")[2]: dict(parser.items(name)) for name in sections}
