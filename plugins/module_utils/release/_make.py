# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Making releases: a build, the variables of its environment and the configuration of its server, numbered and never changed."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _entry_points, _registry
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported, presumed
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _changes
from ansible_collections.wsgi.stack.plugins.module_utils.build import _variables
from ansible_collections.wsgi.stack.plugins.module_utils.build._stamp import read_stamp
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _locks, _redact, _sandbox, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.release import (
    _commands,
    _entry_point,
    _release,
    _shared,
    _workers,
    _writable,
)


def files(
    app: App,
    environment: dict[str, str],
    build: dict[str, Any],
    number: int,
    host: dict[str, int],
    imported: Imported | None = None,
) -> dict[str, str]:
    """The text of every file of a release, by name. Pure.

    :param host: ``processors`` and ``backlog``, see ``configuration`` of the app's server
    :param imported: what its import has shown; if not given, what is assumed before that
    """
    layout = _layout.of(app)
    release = layout.release(number)
    variables = {
        **_layout.variables(app, build["path"]),
        "HOME": layout.shared,
        "WSGI_RELEASE": str(number),
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
        _entry_points.FILE: _entry_points.module_text(app["entry_point"], app["interface"], server.WRAPPER),
        server.CONFIGURATION: server.configuration(app, build, host, imported or presumed(app)),
        **_workers.script(app, release),
        **({"launch": launcher} if (launcher := server.launcher(app)) else {}),
    }


def digest(app: App, environment: dict[str, str], build: dict[str, Any], host: dict[str, int]) -> str:
    """The SHA-256 of a release's files, without its number: two releases with the same digest are the same."""
    content = {
        "build": build["digest"],
        "sandbox": sandbox(app),
        "workers": _workers.facts(app),
        "files": files(app, environment, build, 0, host),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def describe(app: App, environment: dict[str, str], build: dict[str, Any], host: dict[str, int]) -> str:
    """A release as a diff shows it: the names of its variables, not their values."""
    names = " ".join(sorted(environment)) or "none"
    configuration = files(app, environment, build, 0, host)[_registry.server(app["stack"]).CONFIGURATION]
    opened = "".join(f"{key}: {value}\n" for key, value in sandbox(app).items() if value)
    shown = f"{opened}{_workers.describe(app)}{configuration}"
    return f"build: {build['digest']}\nenvironment variables: {names}\nentry point: {app['entry_point']}\n{shown}"


def sandbox(app: App) -> dict[str, Any]:
    """What a release may do that others may not. Pure."""
    return {"writable_paths": app["writable_paths"], "privileged_programs": app["privileged_programs"]}


def facts(app: App, build: dict[str, Any], host: dict[str, int]) -> dict[str, Any]:
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
        "server_processes": server.workers(app, host),
        "drain_timeout": app["drain_timeout"],
        "idle": app["idle"],
        **_workers.facts(app),
        **sandbox(app),
    }


@dataclass(frozen=True)
class ReleaseRequest:
    """One call: what holds for all apps.

    :param host: ``processors`` and ``backlog``, see ``files``
    :param nginx_group: the group of nginx's workers
    :param name: what the inventory calls this host
    :param command_results: what the hosts returned that ran release commands, by name (see ``_commands.check_elsewhere``); None
        if they are to be run here
    :param defer_commands: whether to leave out an app that needs a new release and has release commands
    """

    host: dict[str, int]
    check: bool
    nginx_group: str
    name: str = ""
    command_results: Mapping[str, Mapping[str, Any]] | None = None
    defer_commands: bool = False


def make(app: App, environment: dict[str, str], build: dict[str, Any], request: ReleaseRequest) -> dict[str, Any] | None:
    """Make a new release if the newest one differs from the app, its environment or its build.

    :param environment: the variables of the inventory and of a file on the controller
    :param build: ``digest``, ``path``, ``python`` and ``revision`` of the build; in check mode, where it may not be known yet,
        the digest can be None
    :returns: ``number``, ``changed``, ``commands`` (those that were run, in check mode those that would be), for the diff
        ``before`` and ``after``, and perhaps a ``warning``; None if the release commands were deferred
    :raises StackError: the variables cannot be read, the entry point cannot be imported, or a release command failed; no release
        is left behind
    """
    if request.check:
        return _make(app, environment, build, request)
    # A run whose connection was lost may still be in a command: wait, and find its release.
    with _locks.locked(_layout.of(app).release_lock):
        return _make(app, environment, build, request)


def _make(app: App, environment: dict[str, str], build: dict[str, Any], request: ReleaseRequest) -> dict[str, Any] | None:
    layout = _layout.of(app)
    existing = _release.numbers(layout.releases)
    made, before = _newest(layout, existing)
    number = existing[-1] + 1 if existing else 1
    commands = app["release_commands"] if request.command_results is None else []
    planned = [{"command": _redact.redactor()(command)} for command in commands]
    shown = "".join(f"run: {entry['command']}\n" for entry in planned)
    result = {"number": number, "changed": True, "before": before, "commands": planned}
    deferred = request.defer_commands and bool(app["release_commands"])
    entry = _changes.entry(app, environment)
    if build.get("digest") is None:
        return None if deferred else {**result, "after": f"build: not made yet\n{shown}"}
    if not request.check or os.path.isdir(build["path"]):  # in check mode a new build is not there
        environment = {**_variables.of_source(app, os.path.join(build["path"], "source")), **environment}
    host = request.host
    wanted = digest(app, environment, build, host)
    description = describe(app, environment, build, host)
    if made == wanted:
        missing = _shared.missing(app, request.nginx_group)
        if missing and not request.check:
            _shared.prepare(app, build, request.nginx_group)
        after = description + "".join(f"shared: {path}\n" for path in missing)
        return {"number": existing[-1], "changed": bool(missing), "before": description, "after": after, "commands": []}
    if deferred:
        return None
    if app["release_commands"] and request.command_results is not None:
        _commands.check_elsewhere(app["name"], request.name, request.command_results)
    if not request.check:
        content = {**facts(app, build, host), "number": number, "digest": wanted, "description": description, "entry": entry}
        _writable.check(app, app["writable_paths"])
        _workers.check_schedules(app)
        _shared.prepare(app, build, request.nginx_group)
        unit, what = f"wsgi-release-{app['name']}", f"Release of the WSGI application {app['name']}"
        writable = [layout.shared, *app["writable_paths"]]
        sandbox = _sandbox.as_app(what, app["user"], app["group"], unit, writable, app["privileged_programs"])
        _sandbox.stop(unit)
        expected = files(app, environment, build, number, host)
        draft = _draft(app, layout, expected, content)
        # Given to a shell rather than started: another thread may just have forked, whose child has it open for writing until
        # it starts its own program, and a file that is being written cannot be started.
        runner = ["/bin/sh", os.path.join(draft, "run")]
        laid = {path: _untrusted.text_or_none(os.path.join(draft, "build/source", path)) or "" for path in app["files"]}
        redact = _redact.redactor([*_redact.secret_values(environment), *_redact.of_files(laid)])
        unread = str((read_stamp(build["path"]) or {}).get("unread", ""))
        try:
            if commands:
                # They may make what the import needs, such as a database.
                result["commands"] = _commands.execute(commands, runner, sandbox, redact)
            BOARD.does("imports its code")
            imported = _entry_point.check(app, runner, os.path.join(draft, _entry_points.FILE), sandbox, unread)
            known = files(app, environment, build, number, host, imported)
            if known != expected:
                draft = _draft(app, layout, known, content)
            if imported.threads and _registry.server(app["stack"]).loads_before_fork(app):
                result["warning"] = _entry_point.warning(app, imported.threads)
        except StackError as failure:
            shutil.rmtree(draft)
            raise StackError(failure.step, redact(failure.cause), redact(failure.log)) from None
        os.rename(draft, layout.release(number))
        prune(app, keep_build=build["digest"])
    return {**result, "after": description + shown}


def _newest(layout: _layout.Layout, existing: Sequence[int]) -> tuple[str | None, str]:
    """The digest and the description of the newest release; of one that is damaged, as if there were none."""
    try:
        newest = _release.read(layout, existing[-1])
        return newest["digest"], newest["description"]
    except (IndexError, _release.DamagedRelease):
        return None, ""


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
            stream.flush()
            os.fsync(descriptor)  # or a power failure could leave a release whose files are empty
    return draft


def prune(app: App, keep_build: str) -> None:
    """Remove the releases that ``kept`` does not keep, and the builds that no release uses."""
    layout = _layout.of(app)
    existing = _release.numbers(layout.releases)
    links = [layout.current, layout.previous, layout.preview, *(layout.slot(slot) for slot in _layout.SLOTS)]
    keep = kept(existing, _release.history(layout), {_release.linked(path) for path in links}, app["keep_releases"])
    for number in set(existing) - keep:
        shutil.rmtree(layout.release(number))
    builds = {_release.build(layout, number) for number in keep} | {keep_build}
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
