# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases: a build, the variables of its environment and the configuration of its server, numbered and never changed."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import shlex
import shutil
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout, _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils._failures import AppFailure
from ansible_collections.wsgi.stack.plugins.module_utils._process import run

IMPORT_TIMEOUT = 120
"""Seconds that an entry point may take to be imported."""

# Import the module, then walk to the callable: what every server does at its start.
IMPORT_CHECK = """
import importlib, sys
module, path = sys.argv[1].split(":")
found = importlib.import_module(module)
for name in path.split("."):
    found = getattr(found, name)
if not callable(found):
    raise TypeError(f"{sys.argv[1]} is not callable")
"""


def files(
    app: dict[str, Any], environment: dict[str, str], build: dict[str, Any], number: int, host: dict[str, int]
) -> dict[str, str]:
    """The text of every file of a release, by name. Pure.

    :param host: ``processors`` and ``backlog``, see ``_uwsgi.ini``
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
    server = f"{_uwsgi.program(app, build)} --ini {release}/uwsgi.ini"
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return {
        "run": "\n".join(
            [
                "#!/bin/sh",
                "# Runs a command in this release: in its directory, with its virtual environment and its variables.",
                *exports,
                f"cd {shlex.quote(_uwsgi.working_directory(app, build))} || exit",
                'exec "$@"',
                "",
            ]
        ),
        "serve": "\n".join(
            [
                "#!/bin/sh",
                "# Serves this release in a slot: serve blue|green",
                f'echo {number} >"{layout.runtime_directory}/$1.release"',
                f'exec {release}/run {server} --socket "{layout.runtime_directory}/$1.sock"',
                "",
            ]
        ),
        "uwsgi.ini": _uwsgi.ini(app, build, host["processors"], host["backlog"]),
    }


def digest(app: dict[str, Any], environment: dict[str, str], build: dict[str, Any], host: dict[str, int]) -> str:
    """What makes two releases the same: all their files, but for the number in them."""
    content = {"build": build["digest"], "entry_point": app["entry_point"], "files": files(app, environment, build, 0, host)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def describe(app: dict[str, Any], environment: dict[str, str], build: dict[str, Any], host: dict[str, int]) -> str:
    """A release as it may be shown in a diff: the names of its variables, not their values."""
    names = " ".join(sorted(environment)) or "none"
    return f"build: {build['digest']}\nenvironment variables: {names}\n" + files(app, environment, build, 0, host)["uwsgi.ini"]


def numbers(directory: str) -> list[int]:
    """The numbers of the releases in a directory, ascending."""
    try:
        return sorted(int(name) for name in os.listdir(directory) if name.isdigit())
    except FileNotFoundError:
        return []


def read(layout: _layout.Layout, number: int) -> dict[str, Any]:
    """What a release notes of itself in its ``release.json``."""
    with open(os.path.join(layout.release(number), "release.json"), encoding="utf-8") as stream:
        return json.load(stream)


def make(
    app: dict[str, Any], environment: dict[str, str], build: dict[str, Any], host: dict[str, int], check: bool
) -> dict[str, Any]:
    """Make sure that the newest release is the one that the app, its environment and its build ask for.

    :param build: ``digest``, ``path``, ``python`` and ``revision`` of the build; in check mode, where it may not be known yet,
        the digest can be None
    :returns: ``number``, ``changed`` and, for the diff, ``before`` and ``after``
    :raises AppFailure: the entry point cannot be imported; nothing is left behind
    """
    layout = _layout.of(app)
    existing = numbers(layout.releases)
    newest = read(layout, existing[-1]) if existing else {"digest": None, "description": ""}
    number = existing[-1] + 1 if existing else 1
    if build.get("digest") is None:
        return {"number": number, "changed": True, "before": newest["description"], "after": "build: not made yet\n"}
    wanted = digest(app, environment, build, host)
    description = describe(app, environment, build, host)
    if newest["digest"] == wanted:
        return {"number": existing[-1], "changed": False, "before": description, "after": description}
    if not check:
        note = {
            "number": number,
            "digest": wanted,
            "description": description,
            "build": build,
            "revision": build.get("revision"),
            "program": _uwsgi.program(app, build),
        }
        _write(app, layout, files(app, environment, build, number, host), note)
        prune(app, keep_build=build["digest"])
    return {"number": number, "changed": True, "before": newest["description"], "after": description}


def _write(app: dict[str, Any], layout: _layout.Layout, contents: dict[str, str], note: dict[str, Any]) -> None:
    # Under a name that is no number until all is well: a directory with a number is a release that can be served.
    draft = os.path.join(layout.releases, "draft")
    shutil.rmtree(draft, ignore_errors=True)
    group = grp.getgrnam(app["group"]).gr_gid
    os.mkdir(draft, 0o751)
    os.chown(draft, 0, group)
    os.chmod(draft, 0o751)
    os.symlink(os.path.relpath(note["build"]["path"], draft), os.path.join(draft, "build"))
    for name, text in {**contents, "release.json": json.dumps(note, indent=2)}.items():
        mode = 0o750 if text.startswith("#!") else 0o640
        descriptor = os.open(os.path.join(draft, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchown(descriptor, 0, group)
            os.fchmod(descriptor, mode)
            stream.write(text)
    try:
        _import_check(app, os.path.join(draft, "run"))
    except AppFailure:
        shutil.rmtree(draft)
        raise
    os.rename(draft, layout.release(note["number"]))


def _import_check(app: dict[str, Any], runner: str) -> None:
    done = run([runner, "python", "-c", IMPORT_CHECK, app["entry_point"]], user=app["user"], timeout=IMPORT_TIMEOUT)
    if done.code:
        raise AppFailure(
            "import",
            f"entry_point {app['entry_point']} cannot be imported: {done.last_line};"
            " mend the code, its requirements or its environment. What runs was not touched.",
            done.output,
        )


def prune(app: dict[str, Any], keep_build: str) -> None:
    """Remove what is older than the last ``keep_releases`` releases, but nothing that a slot or ``current`` names."""
    layout = _layout.of(app)
    named = {linked(path) for path in [layout.current, *(layout.slot(slot) for slot in _layout.SLOTS)]}
    existing = numbers(layout.releases)
    kept = set(existing[-app["keep_releases"] :]) | (named & set(existing))
    for number in set(existing) - kept:
        shutil.rmtree(layout.release(number))
    builds = {read(layout, number)["build"]["digest"] for number in kept} | {keep_build}
    for name in set(os.listdir(layout.builds)) - builds:
        shutil.rmtree(layout.build(name))


def linked(path: str) -> int | None:
    """The number of the release that a link names; None without a link."""
    try:
        name = os.path.basename(os.readlink(path))
    except OSError:
        return None
    return int(name) if name.isdigit() else None
