# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What starts servers on a host, and which of it names an address. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

COMMAND, CONFIGURATION, ENVIRONMENT, SCRIPT = range(4)
"""Where an address may stand, the surest place first: the command, a file that it names, its variables, its script."""

SERVER = re.compile(
    r"\b(?:gunicorn|uwsgi|uvicorn|hypercorn|daphne|waitress|granian|gevent|cherryd|bjoern|flask|manage\.py|fastcgi|pserve)"
)
"""What names a server of Python apps in a command or script."""


@dataclass(frozen=True)
class Text:
    """A text in which the address of a server may stand, with its placeholders replaced.

    :ivar directory: where relative paths begin, "" if that is not known
    :ivar file: where it stands
    """

    text: str
    directory: str = ""
    file: str = ""
    rank: int = COMMAND


@dataclass(frozen=True)
class Starter:
    """A unit of systemd, a program of supervisor, or a vassal of an Emperor.

    :ivar unit: the unit, that of supervisor or of the Emperor for the others
    :ivar program: the program of supervisor, with its group as supervisorctl wants it
    :ivar vassal: the file of the vassal
    :ivar control: the command that controls the programs of its supervisor
    :ivar user: whose unit it is, "" for one of the system
    :ivar file: where it is defined
    :ivar listens: it is a .socket of systemd
    :ivar enabled: whether the boot starts it, as far as its links tell
    :ivar dangling: where the vassal's file leads, if nothing is there
    :ivar patterns: the paths in a template that depend on the instance
    """

    unit: str
    program: str = ""
    vassal: str = ""
    control: str = "supervisorctl"
    user: str = ""
    file: str = ""
    texts: tuple[Text, ...] = ()
    listens: bool = False
    enabled: bool = False
    dangling: str = ""
    patterns: tuple[str, ...] = ()

    def place(self, address: str) -> Text | None:
        """The surest place where it names an address, None if it does not."""
        found = [text for text in self.texts if names(text.text, address, text.directory)]
        return min(found, key=lambda text: text.rank, default=None)

    @property
    def is_server(self) -> bool:
        """Whether it looks like a server of apps."""
        return any(SERVER.search(text.text) for text in self.texts if text.rank in (COMMAND, SCRIPT))


@dataclass(frozen=True)
class Named:
    """A starter that names an address, the files in which it does, and how sure that is."""

    starter: Starter
    files: tuple[str, ...] = ()
    rank: int = COMMAND


@dataclass(frozen=True)
class Catalog:
    """All that starts servers on a host.

    :ivar templates: units of which instances are made; those that are known are among the starters
    """

    starters: tuple[Starter, ...] = ()
    templates: tuple[Starter, ...] = ()

    def naming(self, address: str) -> list[Named]:
        """Those that name an address, the most likely first.

        :param address: the path of a unix socket, or ``host:port``
        """
        known = [*self.starters, *self._made(address)]
        found = [(each, place) for each in known for place in [each.place(address)] if place]

        def order(pair: tuple[Starter, Text]) -> tuple[bool, int, bool, bool]:
            starter, place = pair
            return (not starter.listens, place.rank, not starter.is_server, not starter.enabled)

        return [Named(starter, _files(starter, place), place.rank) for starter, place in sorted(found, key=order)]

    def _made(self, address: str) -> Iterable[Starter]:
        """Further instances of templates that would name an address: those whose directory is there."""
        known = {starter.unit for starter in self.starters}
        for template in self.templates:
            stem, suffix = template.unit.split("@")
            for value in sorted({each for text in template.texts for each in instances(text.text, address)}):
                made = instance(template, f"{stem}@{value}{suffix}")
                if made.unit not in known and all(os.path.isdir(text.directory) for text in made.texts[:1] if text.directory):
                    yield made


def _files(starter: Starter, place: Text) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for path in (place.file, starter.file) if path))


def instance(template: Starter, name: str) -> Starter:
    """An instance of a template."""
    value = name.rpartition(".")[0].partition("@")[2]

    def filled(text: str) -> str:
        return text.replace("%i", value).replace("%I", value.replace("-", "/"))

    texts = tuple(replace(text, text=filled(text.text), directory=filled(text.directory)) for text in template.texts)
    return replace(template, unit=name, texts=texts)


def instances(text: str, address: str) -> set[str]:
    """For which instances a template's text names an address: ``/run/gunicorn-%i/app.sock`` does for one."""
    found = set()
    for word in re.findall(r"[^\s\"'=]*%[iI][^\s\"']*", text[: 1 << 14]):
        where = word.find("/") if address.startswith("/") else word.rfind(":")
        if where < 0:
            continue
        tail = word[where:]
        wanted = os.path.normpath(address) if address.startswith("/") else f":{address.rpartition(':')[2]}"
        pattern = re.escape(re.sub("^/+", "/", tail)).replace("%i", "%I").split("%I")
        match = re.fullmatch(pattern[0] + r"([\w.\\-]{1,100})" + r"\1".join(pattern[1:]), wanted) if len(pattern) < 5 else None
        if match:
            found.add(match[1])
    return found


def names(text: str, address: str, directory: str = "") -> bool:
    """Whether a text contains an address: a path in full or relative to a directory, a port with any host that leads there.

    :param address: the path of a unix socket, or ``host:port``
    :param directory: the directory that relative paths in the text start from, "" if unknown
    """
    if not address.startswith("/"):
        return _names_port(text, address)
    text = text.replace("/var/run/", "/run/")
    path = os.path.normpath(address.replace("/var/run/", "/run/", 1) if address.startswith("/var/run/") else address)
    if path in text and re.search(rf"(?<![\w.%}}-]){re.escape(path)}(?![\w./-])", text):
        return True
    base = os.path.normpath(directory) if directory else ""
    if base in ("", "/") or not path.startswith(f"{base}/"):
        return False
    relative = path[len(base) + 1 :]
    return relative in text and bool(re.search(rf"(?<![\w/.-])(?:\./)?{re.escape(relative)}(?![\w./-])", text))


def _names_port(text: str, address: str) -> bool:
    host, _colon, port = address.rpartition(":")
    if not port.isdigit() or port not in text:
        return False
    hosts = [re.escape(host)] if host else []
    if host in ("localhost", "[::1]", "0.0.0.0", "[::]", "*", "") or host.startswith("127."):
        hosts += [r"127\.0\.0\.1", "localhost", r"0\.0\.0\.0", r"\[::1?\]", r"\*", ""]
    bound = rf"(?<![\w.\]*-])(?:{'|'.join(hosts)}):{port}(?!\d)"
    option = rf"(?:^|[\s\"'])(?:--port|-p|port|PORT|ListenStream)(?:[ \t]*=[ \t]*|[ \t]+)[\"']?{port}(?!\d)"
    return bool(re.search(bound, text, re.MULTILINE) or re.search(option, text, re.MULTILINE))
