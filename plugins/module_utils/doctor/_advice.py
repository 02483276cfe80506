# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What to do about a line of a server's log that says why it does not run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._log_causes import LogCause
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _edit, _lasting

SAFE = re.compile(r"[\w./@:%+,=~ -]{1,200}")
"""What a sentence may quote of a log: nothing that a shell would take for anything but words."""

PATH = re.compile(r"/[\w./@+-]+")

MODULE = re.compile(r"[A-Za-z]\w*(?:\.py)?")
LOG_DIRECTORY = re.compile(r"/var/log/([A-Za-z][\w.-]*)/[^/]+")
PLUGIN = "/usr/lib/uwsgi/plugins/python3_plugin.so"
"""What Debian's package uwsgi-plugin-python3 installs."""

SEARCHED = 300
"""Directories in which a module of the app is looked for."""


@dataclass(frozen=True)
class Setup:
    """How a server is started, as far as that is known.

    :ivar again: the command that starts it
    :ivar where: what shows its log: a path or a command
    :ivar environment: its virtual environment, "" without one
    :ivar directory: the directory that its app is imported from
    :ivar module: the module that the command names: ``shop`` of ``shop.wsgi:application``
    :ivar files: its configuration files
    :ivar environment_files: those of its unit
    :ivar unit: the service that it is alone, "" if it is under supervisor or an Emperor
    """

    again: str = ""
    where: str = ""
    environment: str = ""
    directory: str = ""
    module: str = ""
    files: Sequence[str] = ()
    environment_files: Sequence[str] = ()
    unit: str = ""


def of_log(cause: LogCause, setup: Setup) -> Why:
    """The cause as it is written in the log, and what to do about it."""
    subject = cause.subject if SAFE.fullmatch(cause.subject) else ""
    text = cause.text if not setup.where else f"{cause.text} ({setup.where})"
    config = setup.files[0] if setup.files else "its configuration"
    fixes = {
        "variable": f"Set the variable {subject} in its environment",
        "service": f"Start what the app connects to ({subject or 'such as its database'}), or correct the address that it has",
        "name": f"Correct the name of the host that the app connects to ({subject or 'see the log'}), which is unknown here",
        "factory": f"Call the factory in the command: app:{subject or 'create_app'}() for gunicorn, --factory for uvicorn",
        "database": "Correct the database, its user or the password in the app's settings, or create what is missing there",
        "table": f"Make the app's tables ({subject or 'see the log'}), in Django with manage.py migrate",
        "interface": "Run the app, which speaks ASGI, with a server for that, such as uvicorn"
        if subject == "send"
        else "Run the app, which speaks WSGI, with a server for that, such as gunicorn or uWSGI",
        "attribute": f"Name the app's callable after the colon of its entry point, where {subject or 'a wrong name'} is now",
        "permission": f"Let its user use {subject or 'what the log names'}",
        "missing": f"Restore {subject or 'what the log names'}",
        "command": f"Install {subject or 'the command that the log names'}, or correct its path in the script",
        "option": f"Remove or correct that option ({subject or 'see the log'})",
        "space": "Free some space on its file system",
        "user": f"Create the account {subject}, or name another one in {config}",
        "config": f"Restore {subject or 'its configuration'}",
        "plugin": f"Install the Debian package of the plugin {subject}, or build it",
        "tyrant": f"Give {subject} to the user of its app with chown, since a tyrant Emperor starts no vassal of root's",
        "backlog": f"Set listen to {subject or '128'} or less in {config}, or raise net.core.somaxconn",
        "syntax": "Correct that file",
        "address": "End the server that has the address already",
        "chdir": f"Correct chdir in {config}, or restore the directory",
        "log_directory": f"Create the directory of its log {subject}, and give it to its user",
        "pid_file": f"Remove the pid file {subject}, which an earlier run has left, if no other server of this app runs",
        "no_plugin": f"Install the package uwsgi-plugin-python3, and set plugin = python3 in {config}",
        "no_socket": f"Set socket (for uwsgi_pass) or http-socket (for proxy_pass) in {config}, since http needs the plugin http",
        "directory": "Create the directory that the log names, for good: with RuntimeDirectory= in a unit, or by tmpfiles.d(5)",
    }
    if cause.kind == "module":
        return _module(cause.subject, text, setup)
    if cause.kind == "variable":
        text += _exported(subject, setup)
    if cause.kind == "chdir" and setup.directory and not os.path.isdir(setup.directory):
        text += f"; its directory {setup.directory} does not exist"
    command = _command(cause.kind, subject, setup)
    if command:
        return Why(text, command, evidence=(cause.text,))
    what = fixes.get(cause.kind) or "Correct that in the app, whose log has the whole message"
    return Why(text, then(what, setup.again), evidence=(cause.text,))


def _exported(variable: str, setup: Setup) -> str:
    """That a variable is in an environment file in a way that systemd ignores."""
    line = re.compile(rf"^[ \t]*export[ \t]+{re.escape(variable)}=", re.MULTILINE)
    file = next((path for path in setup.environment_files if line.search(_untrusted.configuration(path))), "")
    return f"; {file} sets it with 'export', and systemd ignores such lines" if file and variable else ""


def _command(kind: str, subject: str, setup: Setup) -> str:
    """The command that fixes what a log says for good, "" without one."""
    name = LOG_DIRECTORY.fullmatch(subject)
    if kind == "log_directory" and name and setup.unit:
        return _lasting.drop_in(setup.unit, "logs-directory", f"LogsDirectory={name[1]}")
    if kind == "no_plugin" and os.path.exists(PLUGIN) and setup.files and setup.again:
        edit = _edit.set_option(setup.files[0], "plugin", "python3")
        return f"{edit} && {setup.again}" if edit else ""
    return ""


def _module(module: str, text: str, setup: Setup) -> Why:
    """A module that is not found: the app's own, in another directory; or one that is not installed."""
    name = module.split(".")[0]
    subject = name if SAFE.fullmatch(name) else "the module"
    single = _single_file(module, setup.directory)
    if single and SAFE.fullmatch(module):
        what = f"Correct the name {module} where it is set, as in DJANGO_SETTINGS_MODULE: {single} is a module, not a package"
        return Why(text, then(what, setup.again), evidence=(single,))
    place, part = _inside(module, setup.directory)
    if part and SAFE.fullmatch(module):
        there = [each for each in _untrusted.entries(place, SEARCHED) if MODULE.fullmatch(each) and not each.startswith("_")]
        what = f"Correct the name {module} where it is set, as in DJANGO_SETTINGS_MODULE, or add {part}.py to {place}"
        return Why(f"{text}; there is no {part} in {place}", then(what, setup.again), evidence=tuple(sorted(there)[:5]))
    if name == setup.module and setup.directory:
        return _own_module(name, subject, text, setup)
    into = f"into the virtual environment {setup.environment}" if setup.environment else "where its Python looks for packages"
    return Why(text, then(f"Install what provides the module {subject} {into}, or remove its import", setup.again))


def _single_file(module: str, directory: str) -> str:
    """The file of the app that a module is looked for in as if it were a package, "" if it is not the app's."""
    packages = module.split(".")[:-1] if directory else []
    files = (f"{directory}/{'/'.join(packages[:number])}" for number in range(1, len(packages) + 1))
    return next((f"{path}.py" for path in files if os.path.isfile(f"{path}.py") and not os.path.isdir(path)), "")


def _inside(module: str, directory: str) -> tuple[str, str]:
    """The package of the app in which a module is missing, and the part of its name that is; "" if it is not the app's."""
    place = directory
    for number, part in enumerate(module.split(".") if directory else ()):
        if not os.path.isdir(f"{place}/{part}"):
            return (place, part) if number and not os.path.exists(f"{place}/{part}.py") else ("", "")
        place = f"{place}/{part}"
    return "", ""


def _own_module(name: str, subject: str, text: str, setup: Setup) -> Why:
    """The module that the command names is not in the directory that it is looked for in."""
    places = homes_of(name, setup.directory)
    if len(places) > 1 and setup.files:
        stem = os.path.splitext(os.path.basename(setup.files[0]))[0]
        places = [path for path in places if os.path.basename(path) == stem] or places
    where = f"{text}; it is looked for in {setup.directory}"
    config = setup.files[0] if setup.files else "its unit or program"
    if len(places) != 1:
        what = (
            f"Name the module of the app in {config}, or set the directory (chdir) to the one that has {subject}.py or {subject}/"
        )
        return Why(where, then(what, setup.again))
    place = places[0]
    where += f", but it is in {place}"
    edit = _edit.set_option(setup.files[0], "chdir", place) if setup.files and setup.again else ""
    if edit:
        return Why(where, f"{edit} && {setup.again}")
    if setup.unit and not setup.files and PATH.fullmatch(place):
        return Why(where, _lasting.drop_in(setup.unit, "working-directory", f"WorkingDirectory={place}"))
    return Why(where, then(f"Set the working directory in {config} to {place}", setup.again))


def homes_of(module: str, directory: str) -> list[str]:
    """The directories up to two levels below one, or beside it, from which a module can be imported."""
    found, looked = [], 0
    waiting = [(directory, 0)]
    while waiting and looked < SEARCHED:
        path, level = waiting.pop(0)
        looked += 1
        names = _untrusted.entries(path, 1000)
        if f"{module}.py" in names or (module in names and os.path.isfile(f"{path}/{module}/__init__.py")):
            found.append(path)
        if level < 2:
            skipped = ("venv", ".", "env", "node_modules", "site-packages", "lib", "static", "media")
            waiting += [
                (f"{path}/{name}", level + 1)
                for name in names
                if not name.startswith(skipped) and os.path.isdir(f"{path}/{name}")
            ]
    return found
