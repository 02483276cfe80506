# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The options of uWSGI and gunicorn, from the command line and the configuration files that it names."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted

SHORT = {
    "-s": "socket",
    "-H": "home",
    "-l": "listen",
    "-w": "module",
    "-d": "daemonize",
    "-b": "bind",
    "-c": "config",
}
"""The short options that are read, of uWSGI (https://uwsgi-docs.readthedocs.io/en/latest/Options.html) and of gunicorn
(https://docs.gunicorn.org/en/stable/settings.html); none means different things in both."""

ENVIRONMENT = ("home", "virtualenv", "venv", "pyhome")
"""uWSGI's names for the virtual environment option."""

PLUGINS = ("plugin", "plugins", "need-plugin", "need-plugins")
FLAGS = ("master", "vacuum", "die-on-term", "enable-threads", "lazy-apps", "strict", "need-app", "reload", "preload", "daemon")
DEPTH, FILES = 5, 50
"""Maximum depth of included files, and their maximum number."""

APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\(\))?")
"""The entry point of an app: ``shop.wsgi:application``."""

VALUE = 4096
"""Characters of a value at most: one may contain others many times."""


@dataclass
class Options:
    """Options by long name, each with all its values.

    :ivar server: ``uwsgi``, ``gunicorn`` or the name of another program
    :ivar files: the configuration files they come from
    """

    server: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        """Add a value."""
        self.values.setdefault(name.strip().replace("_", "-"), []).append(value.strip())

    def last(self, *names: str) -> str:
        """The last value of an option under any of its names, without placeholders; "" if there is none."""
        found = [
            value for name in names for value in self.values.get(name, ()) if value and "%(" not in value and "$(" not in value
        ]
        return found[-1] if found else ""

    def plugins(self) -> list[str]:
        """The plugins that uWSGI is configured to load, by name or path."""
        words = [word for name in PLUGINS for value in self.values.get(name, ()) for word in value.split(",")]
        return [word.strip() for word in words if word.strip() and word.strip() != "0" and "%(" not in word]

    def backlog(self) -> int:
        """The configured size of the listen queue, 0 for the default."""
        value = self.last("listen") if self.server == "uwsgi" else self.last("backlog")
        return int(value) if value.isdigit() else 0

    def environment(self, directory: str) -> str:
        """The virtual environment in uWSGI's configuration, "" without one."""
        value = self.last(*ENVIRONMENT)
        return os.path.normpath(os.path.join(directory or "/", value)) if value else ""

    def module(self, words: Sequence[str]) -> str:
        """The first part of the name of the module that the app is in: ``shop`` of ``shop.wsgi:application``; "" if unknown.

        :param words: the command
        """
        named = [word for word in words[1:] if APP.fullmatch(word)] if self.server != "uwsgi" else []
        value = self.last("module", "wsgi", "wsgi-app") or next(iter(reversed(named)), "")
        return re.split(r"[.:]", value)[0] if APP.fullmatch(value) or re.fullmatch(r"[A-Za-z_][\w.]*", value) else ""

    def daemon(self, words: Sequence[str]) -> bool:
        """Whether the server goes to the background.

        :param words: the command, with the ``&`` after it in a script
        """
        if words[-1:] == ["&"]:
            return True
        if self.server == "gunicorn":
            return "-D" in words or self.last("daemon").lower() == "true" or "--daemon" in words
        return self.server == "uwsgi" and bool(self.values.get("daemonize") or self.values.get("daemonize2"))

    def log(self, directory: str) -> str:
        """The configured error log, "" if it is not a file."""
        value = self.last("logto2", "logto", "daemonize2", "daemonize", "error-logfile", "errorlog", "log-file")
        return os.path.normpath(os.path.join(directory or "/", value)) if value and value != "-" and ":" not in value else ""


def kind(words: Sequence[str]) -> str:
    """The app server that a command line starts, ``uwsgi`` or ``gunicorn``, else the name of its program. Pure."""
    names = [os.path.basename(word.split(" ")[0]).rstrip(":") for word in words[:3] if not word.startswith("-")]
    for name in names:
        for server in ("uwsgi", "gunicorn"):
            if name.startswith(server):
                return server
    return names[0] if names else ""


def read(words: Sequence[str], directory: str, reader: Callable[[str], str] | None = None) -> Options:
    """Read the options in a command line and in the configuration files that it names.

    :param words: the command with its arguments
    :param directory: base of relative paths
    :param reader: returns the text of a file, "" if it cannot be read; replaced in tests
    """
    options = Options(kind(words))
    _OptionReader(options, reader or _untrusted.configuration).command_line(words, directory)
    return options


@dataclass
class _OptionReader:
    options: Options
    reader: Callable[[str], str]

    def command_line(self, words: Sequence[str], directory: str) -> None:
        waiting = list(words[1:])
        while waiting:
            word = waiting.pop(0)
            if word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                if not equals and name not in FLAGS and waiting and not waiting[0].startswith("-"):
                    value = waiting.pop(0)
                self._option(name, value, directory, 0)
            elif word[:2] in SHORT and word.startswith("-"):
                value = word[2:] or (waiting.pop(0) if waiting else "")
                self._option(SHORT[word[:2]], value, directory, 0)
            elif self.options.server == "uwsgi" and re.search(r"\.(ini|ya?ml|json|xml)$", word):
                self._file(word, directory, 0)
        if self.options.server == "gunicorn" and "config" not in self.options.values:
            self._file("gunicorn.conf.py", directory, 0)

    def _option(self, name: str, value: str, directory: str, depth: int) -> None:
        self.options.add(name, value)
        files = ("ini", "yaml", "yml", "inherit", "include") if self.options.server == "uwsgi" else ("config",)
        if name in files and value and depth < DEPTH:
            self._file(value.partition("file:")[2] if value.startswith("file:") else value, directory, depth + 1)

    def _file(self, name: str, directory: str, depth: int) -> None:
        path = os.path.normpath(os.path.join(directory or "/", name.split(":")[0]))
        text = self.reader(path) if path not in self.options.files and len(self.options.files) < FILES else ""
        if not text:
            return
        self.options.files.append(path)
        pairs = _python(text) if self.options.server == "gunicorn" else _pairs(text, path)
        for key, value in pairs:
            self._option(key, value, os.path.dirname(path), depth)


def _pairs(text: str, path: str) -> list[tuple[str, str]]:
    """The options in a uWSGI configuration, INI or simple YAML, with placeholders replaced."""
    name = os.path.basename(path)
    magic = {"%d": f"{os.path.dirname(path)}/", "%n": os.path.splitext(name)[0], "%p": path, "%s": name}
    found: list[tuple[str, str]] = []
    section = "uwsgi"
    for line in text.splitlines():
        heading = re.fullmatch(r"\s*\[(.+)\]\s*|(\w+):\s*", line)
        if heading:
            section = heading[1] or heading[2]
        match = re.fullmatch(r"\s*(?:- )?\"?([\w-]+)\"?\s*[=:]\s*(.*?)\s*", line)
        if section == "uwsgi" and match and not line.lstrip().startswith(("#", ";")):
            found.append((match[1], match[2]))
    known = dict(found)

    def filled(value: str) -> str:
        value = re.sub(r"%\(([\w-]+)\)", lambda match: known.get(match[1], match[0]), value)[:VALUE]
        return re.sub(r"%[dnps](?!\w)|%d", lambda match: magic[match[0]], value)

    return [(key, filled(filled(value))) for key, value in found]


def _python(text: str) -> list[tuple[str, str]]:
    """The constants assigned in a gunicorn configuration, which is parsed but not run."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two by nesting
        return []
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant):
            found.append((node.targets[0].id, str(node.value.value)))
    return found


def words(command: str) -> list[str]:
    """Split a command as a shell does; at blanks if its quotes do not match."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()
