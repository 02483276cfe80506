# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Files of vassals, of apps of Debian's uwsgi and of supervisor's programs that nothing reads, though they name an address."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _glob, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_programs, _starter_vassals
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Starter, names

UWSGI = re.compile(r"^\[uwsgi\][ \t]*$", re.MULTILINE)
ENDING = re.compile(r"[\w@+-]+(?:\.(?:conf|cfg|cnf|config|ini|uwsgi|supervisor))?")
"""Names that are meant to be read: not those of copies and of what is switched off."""

DEBIAN_AVAILABLE = "/etc/uwsgi/apps-available"


def judge(address: str, starters: Iterable[Starter]) -> list[Finding]:
    """Find the file that would start the server of an address, if it were read.

    :param address: the path of a unix socket, or ``host:port``
    :param starters: all that starts servers
    """
    found = [*_vassals(address, starters), *_debian_apps(address), *_programs(address)]
    return found[:1]


def _vassals(address: str, starters: Iterable[Starter]) -> Iterator[Finding]:
    """Files in an Emperor's directory whose ending it does not know."""
    for unit in starters:
        places = [] if unit.vassal or unit.program or unit.listens else _starter_vassals.directories(unit.texts)
        for directory in [place for place in places if not _glob.SPECIAL.search(place)]:
            for name in _untrusted.entries(directory):
                path = f"{directory}/{name}"
                if name.endswith(_starter_vassals.ENDINGS) or not ENDING.fullmatch(name) or not _configures(path, address):
                    continue
                message = f"The Emperor ({unit.unit}) does not read {path}, which has the app of {address}: it must end in .ini."
                target = f"{os.path.splitext(path)[0]}.ini"
                yield Finding(BROKEN, "vassal_not_read", message, (path,), _renamed(path, target, ""))


def _configures(path: str, address: str) -> bool:
    text = _starter_vassals.text_of(path)
    return bool(UWSGI.search(text.text)) and names(text.text, address, text.directory)


def _debian_apps(address: str) -> Iterator[Finding]:
    """Apps of Debian's package uwsgi without a link in apps-enabled."""
    for name in _untrusted.entries(DEBIAN_AVAILABLE):
        path, link = f"{DEBIAN_AVAILABLE}/{name}", f"{_starter_vassals.DEBIAN_APPS}/{name}"
        stem, ending = os.path.splitext(name)
        default = f"/run/uwsgi/app/{stem}/socket"
        if ending not in _starter_vassals.ENDINGS or os.path.lexists(link):
            continue
        if address == default or _configures(path, address):
            message = f"uwsgi.service does not start {path}, which has the app of {address}: it has no link in apps-enabled."
            make = f"ln -s {shlex.quote(f'../apps-available/{name}')} {shlex.quote(link)}"
            yield Finding(BROKEN, "vassal_not_read", message, (path,), f"{make} && systemctl restart uwsgi")


def _programs(address: str) -> Iterator[Finding]:
    """Files beside those of supervisor that no pattern of its main file matches."""
    main = next((path for path in _starter_programs.MAIN if os.path.exists(path)), "")
    patterns = _starter_programs.included(main) if main else []
    read = {path for pattern in patterns for path in _glob.matching(pattern)}
    for pattern in patterns:
        directory, wanted = os.path.split(pattern)
        for name in [] if _glob.SPECIAL.search(directory) else _untrusted.entries(directory):
            path = f"{directory}/{name}"
            if path in read or not ENDING.fullmatch(name):
                continue
            for program in _starter_programs.parsed({path: _untrusted.configuration(path)}, main):
                if _starter_programs.starter(program).place(address):
                    message = f"supervisor does not read {path}, which has the program of {address}: it reads {pattern}."
                    again = f"{_starter_programs.control(main)} update {shlex.quote(program.group)}"
                    target = f"{os.path.splitext(path)[0]}{wanted[1:]}" if re.fullmatch(r"\*\.\w+", wanted) else ""
                    yield Finding(BROKEN, "program_not_read", message, (path,), _renamed(path, target, again))


def _renamed(path: str, target: str, again: str) -> str:
    """The command that gives a file the ending with which it is read, or what to do if that is not certain."""
    if target and not os.path.lexists(target) and _untrusted.is_roots_alone(os.path.realpath(os.path.dirname(path))):
        move = f"mv -n -T {shlex.quote(path)} {shlex.quote(target)}"
        return f"{move} && {again}" if again else move
    return then(f"Rename {path} so that it is read", again)
