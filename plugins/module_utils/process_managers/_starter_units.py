# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The units of systemd that may start servers, read from their files: of the system, and of users with units of their own."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils.host import _glob, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _expansion
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import (
    CONFIGURATION,
    ENVIRONMENT,
    SCRIPT,
    Starter,
    Text,
)

DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system")
USER_DIRECTORIES = ("/etc/systemd/user", "/usr/local/lib/systemd/user")
HOME_DIRECTORY = ".config/systemd/user"
USERS = 500
"""Users whose units are read at most."""

NAMED = re.compile(r"[^\s\"'=:;,]+\.(?:ini|xml|ya?ml|json|conf|py|toml|cfg)(?![\w.])")
"""A name of a configuration file in a command line."""

LISTED = 1 << 18
"""Bytes of systemctl's list that are read."""

INSTANCES = 100
"""Instances of one template that are read at most."""

FILES, LONGEST_WORD = 20, 1024
"""Files that are read of one command at most, and characters of a word in which one is looked for."""

SHELLS = re.compile(r"#![ \t]*\S*/(?:env[ \t]+)?(?:ba|da|z|k)?sh\b")
NO_SERVER = re.compile(
    r"^(?:nginx|systemd-|getty|ssh|dbus|cron|rsyslog|apt-|apache2|docker|containerd|postgres|mysql|mariadb|redis)"
)
"""Units that name the addresses of others, or none: they are not read."""


def read(directories: Sequence[str] = DIRECTORIES) -> tuple[list[Starter], list[Starter]]:
    """The units of the system, with the known instances of templates; and the templates."""
    return _units(directories, "", loaded=_systemd.loaded(["*@*.service"], LISTED))


def read_of_users(directories: Sequence[str] = USER_DIRECTORIES) -> list[Starter]:
    """The units of users that have any of their own."""
    found: list[Starter] = []
    for account in [account for account in pwd.getpwall() if os.path.isabs(account.pw_dir)][:USERS]:
        own = os.path.join(account.pw_dir, HOME_DIRECTORY)
        if account.pw_uid and account.pw_dir != "/" and os.path.isdir(own):
            plain, _templates = _units([own, *directories], account.pw_name, account.pw_dir)
            found += plain
    return found


def _units(
    directories: Sequence[str], user: str, home: str = "/root", loaded: Iterable[str] = ()
) -> tuple[list[Starter], list[Starter]]:
    enabled = {name for directory in directories for name in _links(directory)}
    known = {name for name in [*enabled, *loaded] if re.search(r"@[^.]+.*\.service$", name)}
    files: dict[str, str] = {}
    for directory in directories:
        for name in matching(directory, ".service", ".socket"):
            if not NO_SERVER.match(name):
                files.setdefault(name, os.path.join(directory, name))
    plain: list[Starter] = []
    templates = []
    for name, path in files.items():
        found = _starter(directories, path, name, user, home)
        if "@." not in name:
            plain.append(replace(found, enabled=name in enabled))
            continue
        templates.append(found)
        stem, suffix = name.split("@")
        ours = {each for each in known if each.startswith(f"{stem}@") and each.endswith(suffix)} - files.keys()
        ours |= {f"{stem}@{value}{suffix}" for value in _configured_instances(found)}
        for each in sorted(ours)[:INSTANCES]:
            plain.append(replace(_starter(directories, path, each, user, home), enabled=each in enabled))
    return plain, templates


def _configured_instances(template: Starter) -> set[str]:
    """The instances of a template for which there are files: ``--ini /etc/uwsgi/%i.ini``, ``EnvironmentFile=/etc/default/%i``."""
    found = set()
    for pattern in template.patterns:
        if pattern.count("%") == 1 and pattern.startswith("/"):
            before, after = re.split("%[iI]", pattern)
            for path in _glob.matching(f"{before}*{after}", INSTANCES):
                found.add(path[len(before) : len(path) - len(after)])
    return {value for value in found if re.fullmatch(r"[\w.\\-]+", value)}


def _links(directory: str) -> Iterator[str]:
    """The names of the units that others pull in, as targets do at boot."""
    for name in _untrusted.entries(directory):
        if name.endswith((".wants", ".requires")):
            yield from _untrusted.entries(os.path.join(directory, name))


def _starter(directories: Sequence[str], path: str, name: str, user: str, home: str) -> Starter:
    text = _untrusted.configuration(path)
    for place in directories:
        for drop_ins in dict.fromkeys((f"{place}/{os.path.basename(path)}.d", f"{place}/{name}.d")):
            text += "\n" + "".join(_untrusted.configuration(f"{drop_ins}/{each}") for each in matching(drop_ins, ".conf"))
    text = _expansion.specifiers(text.replace("\\\n", " "), name, home, f"/run/user/{user}" if user else "/run")
    patterns = re.findall(r"(/[^\s\"'=:;,]*%[iI][^\s\"'=:;,]*)", text)
    listens = name.endswith(".socket")
    return Starter(name, user=user, file=path, texts=tuple(_texts(text, path)), listens=listens, patterns=tuple(patterns))


def _texts(text: str, path: str) -> Iterator[Text]:
    values = settings(text)
    working = next((value.lstrip("-") for value in reversed(values.get("WorkingDirectory", []))), "")
    working = working if working.startswith("/") else ""
    if path.endswith(".socket"):
        yield Text("\n".join(f"ListenStream={value}" for value in values.get("ListenStream", [])), "", path)
        return
    commands = "\n".join(value for name, each in values.items() if name.startswith("ExecStart") for value in each)
    files = [value.lstrip("-") for value in values.get("EnvironmentFile", [])]
    environment = "\n".join(f"Environment={value}" for value in values.get("Environment", []))
    contents = {file: _untrusted.configuration(file) for file in files[:FILES] if file.startswith("/")}
    known = _expansion.assignments("\n".join([environment, *contents.values()]))
    yield Text(_expansion.variables(commands, known), working, path)
    yield from of_command(commands, working, known)
    yield Text(_expansion.variables(environment, known), working, path, ENVIRONMENT)
    for file, content in contents.items():
        yield Text(_expansion.variables(content, known), working, file, ENVIRONMENT)


def settings(text: str) -> dict[str, list[str]]:
    """The settings in the text of a unit, each with its values; an empty value drops those before it, as systemd does."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"[ \t]*([A-Z]\w+)[ \t]*=[ \t]*(.*?)[ \t]*", line)
        if match and match[2]:
            found.setdefault(match[1], []).append(match[2])
        elif match:
            found.pop(match[1], None)
    return found


def of_command(command: str, working: str, known: dict[str, str]) -> Iterator[Text]:
    """What a command reads: the configuration files that it names, and the shell script that it is.

    :param known: variables of its environment
    """
    command = _expansion.variables(command, known)
    for file in configurations(command.split(), working):
        text = _untrusted.configuration(file)
        base = chdir(text) or working or os.path.dirname(file)
        yield Text(_expansion.uwsgi(text, file), base, file, CONFIGURATION)
    for file in scripts(words(command), working):
        text = _untrusted.configuration(file)
        if SHELLS.match(text):
            own = {**known, **_expansion.assignments(text)}
            filled = _expansion.variables(text, own)
            base = next(iter(re.findall(r"^[ \t]*cd[ \t]+[\"']?(/[^\s\"';&]*)", filled, re.MULTILINE)), working)
            yield Text(filled, base, file, SCRIPT)
            for inner in configurations(filled.split(), base):
                inside = _untrusted.configuration(inner)
                yield Text(_expansion.uwsgi(inside, inner), chdir(inside) or base, inner, SCRIPT)


def server_command(texts: Iterable[Text]) -> tuple[str, list[str]] | None:
    """The directory and the command of the server that a shell script starts, None if no text is such a script. Pure.

    The command ends with ``&`` if the script ends before it.
    """
    for text in texts:
        for line in text.text.replace("\\\n", " ").splitlines() if text.rank == SCRIPT and not NAMED.search(text.file) else ():
            match = re.match(
                r"[ \t]*(?:(?:exec|nohup)[ \t]+)*"
                r"((?:/?[\w.@/+-]*/)?(?:gunicorn|uwsgi|uvicorn|hypercorn|daphne|waitress-serve)\b.*)",
                line,
            )
            if match:
                found = words(match[1])
                awaited = found[-1:] == ["&"] and re.search(r"^[ \t]*wait\b", text.text, re.MULTILINE)
                return text.directory, found[:-1] if awaited else found
    return None


def words(command: str) -> list[str]:
    """Split a command as a shell does; at blanks if its quotes do not match."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def scripts(command: Iterable[str], directory: str) -> list[str]:
    """The files among the first words of a command that may be scripts, without the prefixes that systemd knows."""
    found = []
    for word in list(command)[:4]:
        word = word.lstrip("-+!:@")
        if word and not word.startswith("-") and len(word) < LONGEST_WORD and "\0" not in word:
            path = os.path.join(directory or "/", word)
            if os.path.isfile(path) and not path.endswith((".py", ".ini", ".conf")):
                found.append(path)
    return found


def configurations(command: Iterable[str], directory: str) -> list[str]:
    """The configuration files in a command."""
    found: list[str] = []
    for word in command:
        for name in NAMED.findall(word[:LONGEST_WORD]):
            path = os.path.join(directory or "/", name)
            if len(found) < FILES and path not in found and "\0" not in path and os.path.isfile(path):
                found.append(path)
    return found


def chdir(text: str) -> str:
    """The directory that a uWSGI configuration changes to, "" if it does not say."""
    match = re.search(r"^[ \t]*chdir[ \t]*=[ \t]*[\"']?(/[^\s\"']*)", text, re.MULTILINE)
    return match[1] if match else ""


def matching(directory: str, *endings: str) -> list[str]:
    """The names in a directory that have one of some endings; hidden ones are left out."""
    return [name for name in _untrusted.entries(directory) if name.endswith(endings) and not name.startswith(".")]
