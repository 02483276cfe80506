# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Releases: a build, the variables of its environment and the configuration of its server, numbered and never changed."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import re
import shlex
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _dotenv
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import on_controller
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _locks, _redact, _sandbox, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.release import _commands, _entry_point, _writable


def files(app: App, environment: dict[str, str], build: dict[str, Any], number: int, host: dict[str, int]) -> dict[str, str]:
    """The text of every file of a release, by name. Pure.

    :param host: ``processors`` and ``backlog``, see ``configuration`` of the app's server
    """
    layout = _layout.of(app)
    release = layout.release(number)
    variables = {
        "PATH": f"{build['path']}/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": layout.shared,
        "VIRTUAL_ENV": f"{build['path']}/venv",
        "WSGI_APP": app["name"],
        "WSGI_RELEASE": str(number),
        "WSGI_SHARED": layout.shared,
        **environment,
    }
    server = _registry.server(app["stack"])
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return {
        "run": "\n".join(
            [
                "#!/bin/sh",
                "# Runs a command in this release: in its directory, with its virtual environment and its variables.",
                *exports,
                f"cd {shlex.quote(_layout.working_directory(app, build))} || exit",
                'exec "$@"',
                "",
            ]
        ),
        "serve": "\n".join(
            [
                "#!/bin/sh",
                "# Serves this release in a slot: serve blue|green",
                "# Its socket is handed over as systemd does it (sd_listen_fds(3)), or else as standard input.",
                '[ "${LISTEN_PID:-}" = $$ ] || exec 3<&0 </dev/null',
                "export LISTEN_PID=$$ LISTEN_FDS=1",
                *server.start(app, build, release),
                "",
            ]
        ),
        server.CONFIGURATION: server.configuration(app, build, host),
        **({"launch": launcher} if (launcher := server.launcher(app)) else {}),
    }


def digest(app: App, environment: dict[str, str], build: dict[str, Any], host: dict[str, int]) -> str:
    """The SHA-256 of a release's files, without its number: two releases with the same digest are the same."""
    content = {
        "build": build["digest"],
        "entry_point": app["entry_point"],
        "sandbox": sandbox(app),
        "files": files(app, environment, build, 0, host),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def describe(app: App, environment: dict[str, str], build: dict[str, Any], host: dict[str, int]) -> str:
    """A release as a diff shows it: the names of its variables, not their values."""
    names = " ".join(sorted(environment)) or "none"
    configuration = files(app, environment, build, 0, host)[_registry.server(app["stack"]).CONFIGURATION]
    opened = "".join(f"{key}: {value}\n" for key, value in sandbox(app).items() if value)
    return f"build: {build['digest']}\nenvironment variables: {names}\n{opened}{configuration}"


def sandbox(app: App) -> dict[str, Any]:
    """What a release may do that others may not. Pure."""
    return {"writable_paths": app["writable_paths"], "privileged_programs": app["privileged_programs"]}


def facts(app: App, build: dict[str, Any]) -> dict[str, Any]:
    """What later steps need to know of a release, for its ``release.json``. Pure.

    A release may outlive the settings of its app, and a rollback brings it back: its stack, its timeouts and the plugin that its
    server loads are read from here, and neither taken from the app nor parsed out of the server's configuration.
    """
    server = _registry.server(app["stack"])
    return {
        "build": build,
        "revision": build.get("revision"),
        "stack": app["stack"],
        "protocol": app["protocol"],
        "program": server.program(app, build),
        "plugin": server.plugin(app, build),
        "drain_timeout": app["drain_timeout"],
        "idle": app["idle"],
        **sandbox(app),
    }


def numbers(directory: str) -> list[int]:
    """The numbers of the releases in a directory, ascending."""
    try:
        return sorted(int(name) for name in os.listdir(directory) if re.fullmatch("[0-9]{1,9}", name))
    except FileNotFoundError:
        return []


def read(layout: _layout.Layout, number: int) -> dict[str, Any]:
    """The ``release.json`` of a release: its ``facts``, ``number``, ``digest`` and ``description``."""
    with open(os.path.join(layout.release(number), "release.json"), encoding="utf-8") as stream:
        return json.load(stream)


@dataclass(frozen=True)
class ReleaseRequest:
    """One call: what holds for all apps.

    :param host: ``processors`` and ``backlog``, see ``files``
    :param name: what the inventory calls this host
    :param command_results: what the hosts returned that ran release commands, by name (see ``_commands.check_elsewhere``); None
        if they are to be run here
    """

    host: dict[str, int]
    check: bool
    name: str = ""
    command_results: Mapping[str, Mapping[str, Any]] | None = None


def make(app: App, environment: dict[str, str], build: dict[str, Any], request: ReleaseRequest) -> dict[str, Any]:
    """Make a new release if the newest one differs from the app, its environment or its build.

    :param environment: the variables of the inventory and of a file on the controller
    :param build: ``digest``, ``path``, ``python`` and ``revision`` of the build; in check mode, where it may not be known yet,
        the digest can be None
    :returns: ``number``, ``changed``, ``commands`` (those that were run, in check mode those that would be) and, for the diff,
        ``before`` and ``after``
    :raises StackError: the variables cannot be read, the entry point cannot be imported, or a release command failed; no release
        is left behind
    """
    if request.check:
        return _make(app, environment, build, request)
    # A run whose connection was lost may still be in a command: wait, and find its release.
    with _locks.locked(_layout.of(app).release_lock):
        return _make(app, environment, build, request)


def _make(app: App, environment: dict[str, str], build: dict[str, Any], request: ReleaseRequest) -> dict[str, Any]:
    layout = _layout.of(app)
    existing = numbers(layout.releases)
    newest = read(layout, existing[-1]) if existing else {"digest": None, "description": ""}
    number = existing[-1] + 1 if existing else 1
    commands = app["release_commands"] if request.command_results is None else []
    planned = [{"command": _redact.redactor()(command)} for command in commands]
    shown = "".join(f"run: {entry['command']}\n" for entry in planned)
    result = {"number": number, "changed": True, "before": newest["description"], "commands": planned}
    if build.get("digest") is None:
        return {**result, "after": f"build: not made yet\n{shown}"}
    if not request.check or os.path.isdir(build["path"]):  # in check mode a new build is not there
        environment = {**source_variables(app, build), **environment}
    host = request.host
    wanted = digest(app, environment, build, host)
    description = describe(app, environment, build, host)
    if newest["digest"] == wanted:
        return {"number": existing[-1], "changed": False, "before": description, "after": description, "commands": []}
    if app["release_commands"] and request.command_results is not None:
        _commands.check_elsewhere(app["name"], request.name, request.command_results)
    if not request.check:
        content = {**facts(app, build), "number": number, "digest": wanted, "description": description}
        _writable.check(app, app["writable_paths"])
        unit, what = f"wsgi-release-{app['name']}", f"Release of the WSGI application {app['name']}"
        writable = [layout.shared, *app["writable_paths"]]
        sandbox = _sandbox.as_app(what, app["user"], app["group"], unit, writable, app["privileged_programs"])
        _sandbox.stop(unit)
        draft = _draft(app, layout, files(app, environment, build, number, host), content)
        # Given to a shell rather than started: another thread may just have forked, whose child has it open for writing until
        # it starts its own program, and a file that is being written cannot be started.
        runner = ["/bin/sh", os.path.join(draft, "run")]
        try:
            _entry_point.check(app, runner, sandbox)
            if commands:
                redact = _redact.redactor(environment.values())
                result["commands"] = _commands.execute(commands, runner, sandbox, redact)
        except StackError:
            shutil.rmtree(draft)
            raise
        os.rename(draft, layout.release(number))
        prune(app, keep_build=build["digest"])
    return {**result, "after": description + shown}


def source_variables(app: App, build: dict[str, Any]) -> dict[str, str]:
    """The variables of an ``environment_file`` that is inside the source; none if there is no such file.

    This runs as root, and a symlink in the source may point to a file that the app must not read, so symlinks out of the source
    are refused. Nothing can change in the meantime, since a build belongs to root.

    :raises StackError: there is no such file, or it cannot be read as one
    """
    path = app["environment_file"]
    if path is None or on_controller(path):
        return {}
    source = os.path.realpath(os.path.join(build["path"], "source"))
    real = os.path.realpath(os.path.join(source, path))
    if not real.startswith(source + os.sep):
        raise StackError("environment", f"{path} is a symlink to {real}, outside the source; put the file into the source.")
    if not os.path.isfile(real):
        raise StackError(
            "environment", f"the source has no file {path}; correct environment_file, or add the file to the source."
        )
    with open(real, "rb") as stream:
        if os.fstat(stream.fileno()).st_mode & stat.S_IROTH:  # which only ``build._permissions.publish`` gives
            raise StackError(
                "environment", f"{path} is in a static directory, which nginx serves to everybody; move one of the two."
            )
        try:
            text = stream.read(_untrusted.LIMIT + 1)
            if len(text) > _untrusted.LIMIT:
                raise ValueError(f"it has more than {_untrusted.LIMIT >> 20} MiB")
            return _dotenv.parse(text)
        except ValueError as error:
            raise StackError("environment", f"{path}, {error}; correct the file. The running release is unchanged.") from None


def _draft(app: App, layout: _layout.Layout, contents: dict[str, str], content: dict[str, Any]) -> str:
    # Under a name that is no number until all is well: a directory with a number is a release that can be served.
    draft = os.path.join(layout.releases, "draft")
    shutil.rmtree(draft, ignore_errors=True)
    group = grp.getgrnam(app["group"]).gr_gid
    os.mkdir(draft, 0o751)
    os.chown(draft, 0, group)
    os.chmod(draft, 0o751)
    os.symlink(os.path.relpath(content["build"]["path"], draft), os.path.join(draft, "build"))
    for name, text in {**contents, "release.json": json.dumps(content, indent=2)}.items():
        mode = 0o750 if text.startswith("#!") else 0o640
        descriptor = os.open(os.path.join(draft, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchown(descriptor, 0, group)
            os.fchmod(descriptor, mode)
            stream.write(text)
    return draft


def prune(app: App, keep_build: str) -> None:
    """Remove the releases that ``kept`` does not keep, and the builds that no release uses."""
    layout = _layout.of(app)
    existing = numbers(layout.releases)
    links = [layout.current, layout.preview, *(layout.slot(slot) for slot in _layout.SLOTS)]
    keep = kept(existing, history(layout), {linked(path) for path in links}, app["keep_releases"])
    for number in set(existing) - keep:
        shutil.rmtree(layout.release(number))
    builds = {read(layout, number)["build"]["digest"] for number in keep} | {keep_build}
    for name in set(os.listdir(layout.builds)) - builds:
        _files.remove(layout.build(name))


def kept(existing: list[int], lived: list[tuple[int, str, str]], named: set[int | None], keep: int) -> set[int]:
    """The releases to keep: those that were live last, as many as ``keep``, the newest, and what is named. Pure.

    A release that never went live is nothing to go back to, so that a series of bad ones does not drive out the good ones.

    :param lived: see ``history``; empty if nothing is known, and then any release may have been live
    :param named: the releases that a link names, be it a slot's or ``current``
    """
    there = set(existing)
    order = [number for number, _stack, _time in lived if number in there] if lived else existing
    last = list(dict.fromkeys(reversed(order)))[:keep]
    return {*last, *existing[-1:], *(number for number in named if number in there)}


def history(layout: _layout.Layout) -> list[tuple[int, str, str]]:
    """The releases that went live, the last one last: number, stack, and the time in ISO 8601 and UTC.

    A release that was gone back to is there again. A line that cannot be read, such as one that a full disk cut off, is left out.
    """
    try:
        with open(layout.history, encoding="utf-8", errors="replace") as stream:
            lines = [line.split() for line in stream]
    except FileNotFoundError:
        return []
    return [(int(line[0]), line[1], line[2]) for line in lines if len(line) == 3 and re.fullmatch("[0-9]{1,9}", line[0])]


def linked(path: str) -> int | None:
    """The number of the release that a link names; None without a link."""
    try:
        name = os.path.basename(os.readlink(path))
    except OSError:
        return None
    return int(name) if re.fullmatch("[0-9]{1,9}", name) else None


def of_slot(layout: _layout.Layout, slot: str) -> dict[str, Any]:
    """The ``release.json`` of the release that a slot runs, or is about to.

    :raises OSError: it has none
    """
    return read(layout, int(os.path.basename(os.readlink(layout.slot(slot)))))


def sleeps(layout: _layout.Layout, slot: str) -> bool:
    """Whether the release in a slot is started by its first request, and ends when nobody asks for a while.

    The release says it, not the app: a rollback also brings back the release's configuration.
    """
    try:
        return bool(of_slot(layout, slot)["idle"])
    except (OSError, ValueError, KeyError):
        return False
