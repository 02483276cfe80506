# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The vassals of uWSGI Emperors, and the apps of Debian's package uwsgi, read from their files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from ansible_collections.wsgi.stack.plugins.module_utils.host import _glob, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _expansion, _starter_units
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import COMMAND, CONFIGURATION, Starter, Text

DEBIAN_APPS = "/etc/uwsgi/apps-enabled"
DEBIAN_UNIT = "uwsgi.service"
ENDINGS = (".ini", ".xml", ".yml", ".yaml", ".json")
"""Of the files that an Emperor takes for vassals, see https://uwsgi-docs.readthedocs.io/en/latest/Emperor.html"""

EMPEROR = re.compile(r"(?:--emperor[ =]|^[ \t]*emperor[ \t]*=)[ \t]*([^\s\"']+)", re.MULTILINE)
ON_DEMAND = re.compile(r"emperor-on-demand-extension[ \t=]+(\S+)")


def read(units: Iterable[Starter]) -> list[Starter]:
    """The vassals of the Emperors among some units, and the apps of Debian's package."""
    found = [vassal for unit in units if not unit.listens for vassal in _of_emperor(unit)]
    return [*found, *_debian_apps()]


def directories(texts: Iterable[Text]) -> list[str]:
    """The directories or patterns that an Emperor watches, if some texts are those of one. Pure."""
    found = [
        os.path.normpath(os.path.join(text.directory or "/", path.removeprefix("dir://").removeprefix("glob://")))
        for text in texts
        if text.rank in (COMMAND, CONFIGURATION)
        for path in EMPEROR.findall(text.text)
        if "://" not in path.removeprefix("dir://").removeprefix("glob://")
    ]
    return list(dict.fromkeys(found))


def is_tyrant(texts: Iterable[Text]) -> bool:
    """Whether an Emperor starts each vassal as the owner of its file. Pure."""
    return any(
        re.search(r"emperor-tyrant(?:[ \t]*=[ \t]*(?:true|1|yes|on))?[ \t]*$|--emperor-tyrant\b", text.text, re.MULTILINE)
        for text in texts
    )


def _of_emperor(unit: Starter) -> Iterator[Starter]:
    watched = directories(unit.texts)
    if not watched:
        return
    extension = next((match[1] for text in unit.texts for match in [ON_DEMAND.search(text.text)] if match), "")
    for place in watched:
        paths = _glob.matching(place) if _glob.SPECIAL.search(place) else [f"{place}/{name}" for name in _names(place)]
        for path in paths:
            yield _vassal(unit.unit, path, extension, unit.enabled)


def _names(directory: str) -> list[str]:
    return [name for name in _untrusted.entries(directory) if name.endswith(ENDINGS) and not name.startswith(".")]


def _vassal(unit: str, path: str, extension: str, enabled: bool) -> Starter:
    if os.path.islink(path) and not os.path.exists(path):
        target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        return Starter(unit, vassal=path, file=path, enabled=enabled, dangling=target)
    texts = [text_of(path)]
    if extension and os.path.lexists(f"{path}{extension}"):  # the socket that the Emperor itself listens on
        texts.append(Text(_untrusted.configuration(f"{path}{extension}"), "", f"{path}{extension}"))
    return Starter(unit, vassal=path, file=path, texts=tuple(texts), enabled=enabled)


def text_of(path: str) -> Text:
    """The configuration of a vassal."""
    text = _untrusted.configuration(path)
    filled = _expansion.uwsgi(text, path)
    return Text(filled, _starter_units.chdir(filled) or os.path.dirname(path), path)


def _debian_apps() -> Iterator[Starter]:
    """The apps of Debian's package uwsgi, whose sockets are in /run/uwsgi/app by default."""
    for name in _names(DEBIAN_APPS):
        path, stem = os.path.join(DEBIAN_APPS, name), os.path.splitext(name)[0]
        dangling = ""
        if os.path.islink(path) and not os.path.exists(path):
            dangling = os.path.normpath(os.path.join(DEBIAN_APPS, os.readlink(path)))
        default = Text(f"socket = /run/uwsgi/app/{stem}/socket", "", path)
        own = (default,) if dangling else (text_of(path), default)
        yield Starter(DEBIAN_UNIT, vassal=path, file=path, texts=own, enabled=True, dangling=dangling)


def log_of_debian_app(path: str) -> str:
    """Where Debian's package writes the log of an app."""
    return f"/var/log/uwsgi/app/{os.path.splitext(os.path.basename(path))[0]}.log"
