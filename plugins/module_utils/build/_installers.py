# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The commands of uv or pip that install what an app needs, in a sandbox."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils._layout import BUILD, build_unit, of
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.build import _git
from ansible_collections.wsgi.stack.plugins.module_utils.build._causes import cause
from ansible_collections.wsgi.stack.plugins.module_utils.build._choice import Choice, source_text
from ansible_collections.wsgi.stack.plugins.module_utils.build._handover import Handover
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import pip_environment, uv_environment

TIMEOUT = 3600  # seconds: what has no wheel is compiled

# Python has no TOML reader before 3.11, and pip none that is public.
DEPENDENCIES = """
import json, re, sys
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as stream:
    content = tomllib.load(stream)

def plain(names):
    return {re.sub("[-_.]+", "-", name).lower(): value for name, value in names.items()}

def listed(kind, table, name):
    found = plain(table).get(*plain({name: None}))
    if found is None:
        sys.exit(f"error: the project has no {kind} {name}")
    for entry in found:
        if isinstance(entry, str):
            yield entry
        else:
            yield from listed(kind, table, entry["include-group"])

whole, extras, groups = json.loads(sys.argv[1])
project = content.get("project", {})
found = []
if whole or "dependencies" in project.get("dynamic", []):
    found += [".[" + ",".join(extras) + "]" if extras else "."]
else:
    found += project.get("dependencies", [])
    for name in extras:
        found += listed("extra", project.get("optional-dependencies", {}), name)
for name in groups:
    found += listed("dependency group", content.get("dependency-groups", {}), name)
print(json.dumps(found))
"""


class Installer:
    """Makes the virtual environment of one build, in a sandbox.

    :param app: the app, as resolved
    :param python: its interpreter, see ``_interpreter.probe``
    :param build: the build's directory, with ``source``, and ``venv`` as an empty directory
    :param overrides: ``build_environment``
    :param uv: the path of uv; with pip if not given
    :param deploy_key: the SSH key for the repositories of requirements, if it is needed
    """

    def __init__(
        self,
        app: App,
        python: Mapping[str, Any],
        build: str,
        overrides: Mapping[str, str],
        uv: str | None,
        deploy_key: str | None = None,
    ):
        self.app = app
        self.python = python
        self.venv, self.source = os.path.join(build, "venv"), os.path.join(build, "source")
        self.uv = uv
        self.is_package = app["source"]["kind"] == "package"
        self.directory = build if self.is_package else os.path.normpath(os.path.join(self.source, app["working_directory"]))
        cache = of(app).build_cache[1]
        overrides = {**_server_environment(app, python, cache), **overrides}
        environment = uv_environment(cache, overrides) if uv else pip_environment(cache, overrides)
        access = _git.ssh(deploy_key, app["source"].get("known_hosts"), cache)
        self.handover = Handover({**environment, "UV_PROJECT_ENVIRONMENT": self.venv}, access)
        self.sandbox = _sandbox.own_user(
            f"Build of the WSGI application {app['name']}",
            BUILD,
            app["name"],
            build_unit(BUILD, app["name"]),
            (self.venv,) if self.is_package else (self.venv, self.source),
        )

    def install(self, choice: Choice) -> str:
        """Make the environment, and return what the programs printed."""
        if self.uv:
            return self._install_with_uv(self.uv, choice)
        return self._install_with_pip(choice)

    def _install_with_uv(self, uv: str, choice: Choice) -> str:
        python = os.path.join(self.venv, "bin/python")
        if self._lacks_distutils():
            with self._temporary_distutils(uv):
                return self._run(*self._fill_with_uv(uv, python, choice))
        venv = [uv, "venv", "--no-project", "--prompt", self.app["name"], "--python", self.python["executable"], self.venv]
        return self._run(venv, *self._fill_with_uv(uv, python, choice))

    def _fill_with_uv(self, uv: str, python: str, choice: Choice) -> Iterator[Sequence[str]]:
        if choice.lock:
            dev = [] if "dev" in choice.groups else ["--no-dev"]
            sync = [uv, "sync", "--frozen", *dev, "--no-editable", "--compile-bytecode", "--python", python]
            yield [*sync, *_options("extra", choice.extras), *_options("group", choice.groups)]
        install = [uv, "pip", "install", "--compile-bytecode", "--python", python]
        for path in choice.pylocks:
            yield [*install, *self.handover.arguments([path], [])]
        files = [*choice.files, *(["pyproject.toml"] if choice.project == "dependencies" else [])]
        targets = [*choice.directories, *_project(choice), *choice.requirements]
        if choice.project:
            install += _options("group", choice.groups)
        if choice.project == "dependencies":
            install += _options("extra", choice.extras)
        if files or targets:
            yield [*install, *self.handover.arguments(files, targets)]

    def _lacks_distutils(self) -> bool:
        # Before Python 3.10 uv wants it, as pip does. Debian has it in a package of its own, which only goes with the Python
        # of the same Debian: Debian 11's python3.9 on Debian 12 has none. setuptools brings a copy.
        version = tuple(int(part) for part in self.python["version"].split(".")[:2])
        asked = [self.python["executable"], "-c", "import distutils.dist"]
        return version < (3, 10) and self.sandbox.run([asked], timeout=TIMEOUT).code != 0

    @contextlib.contextmanager
    def _temporary_distutils(self, uv: str) -> Iterator[None]:
        """A virtual environment that has distutils, until all is installed."""
        version = ".".join(self.python["version"].split(".")[:2])
        copy = os.path.join(self.venv, ".setuptools")
        hook = os.path.join(self.venv, "lib", f"python{version}", "site-packages", "_temporary_distutils.pth")
        options = ["--system", "--no-deps", "--python-version", version, "--target", copy]
        line = f"import sys; sys.path.insert(0, {copy!r}); import setuptools"
        self._run(
            [self.python["executable"], "-m", "venv", "--without-pip", "--prompt", self.app["name"], self.venv],
            [uv, "pip", "install", *options, "setuptools"],
            ["sh", "-c", 'printf "%s\\n" "$1" >"$2"', "sh", line, hook],
        )
        yield
        self._run(["rm", "-r", copy, hook])

    def _install_with_pip(self, choice: Choice) -> str:
        venv = [self.python["executable"], "-m", "venv", "--prompt", self.app["name"], self.venv]
        pip = [os.path.join(self.venv, "bin/python"), "-m", "pip", "install"]
        targets = [*choice.directories, *choice.requirements]
        commands: list[Sequence[str]] = [venv]
        if choice.project == "dependencies" or choice.groups:
            asked = json.dumps([choice.project == "whole", choice.extras, choice.groups])
            targets += json.loads(self._run(venv, [pip[0], "-c", DEPENDENCIES, asked]).splitlines()[-1])
            commands = []
        else:
            targets = [*choice.directories, *_project(choice), *choice.requirements]
        files = list(choice.files)
        if targets and any("--hash=" in source_text(self.source, path) for path in files):
            # One hash makes pip demand one of everything in the same call, and a directory can have none.
            commands.append([*pip, *self.handover.arguments(files, [])])
            files = []
        if files or targets:
            commands.append([*pip, *self.handover.arguments(files, targets)])
        return self._run(*commands)

    def finish(self) -> None:
        """Remove git's files from the source, and compile what is left, when the build commands have added theirs."""
        if self.is_package:
            return
        # A file that is no Python of this version is not an error: it may be a template, or a test.
        compiling = '"$1" -m compileall -qq "$2" || true'
        commands = [["sh", "-c", compiling, "sh", os.path.join(self.venv, "bin/python"), self.source]]
        if self.app["source"]["kind"] == "git":
            commands.insert(0, ["find", self.source, "-name", ".git", "-prune", "-exec", "rm", "-rf", "{}", "+"])
        # Without the credentials: the interpreter runs what the build commands may have written.
        completed = self.sandbox.run(commands, directory=self.directory, timeout=TIMEOUT)
        if completed.code:
            raise StackError("build", f"the source cannot be compiled: {completed.last_line}.", completed.output)

    def _run(self, *commands: Sequence[str]) -> str:
        completed = self.sandbox.run(commands, self.handover.environment, self.directory, TIMEOUT, self.handover.files)
        if completed.code:
            raise StackError("install", cause(completed, self.python), completed.output)
        return completed.output


def _options(name: str, values: Sequence[str]) -> list[str]:
    """An option of uv for each value."""
    return [word for value in values for word in (f"--{name}", value)]


def _project(choice: Choice) -> list[str]:
    """The project as a requirement, if it is built and installed."""
    extras = f"[{','.join(choice.extras)}]" if choice.extras else ""
    return [f".{extras}"] if choice.project == "whole" else []


def _server_environment(app: App, python: Mapping[str, Any], cache: str) -> dict[str, str]:
    """What a uWSGI needs that is compiled in the build: it is linked with this very interpreter's libpython.

    Installers keep what they compiled, and do not tell two interpreters of one version apart.
    """
    if not _uwsgi.of_venv(app):
        return {}
    own = os.path.join(cache, _uwsgi.plugin_name(python))
    flags = _uwsgi.linker_flags(python)
    return {"UV_CACHE_DIR": f"{own}/uv", "PIP_CACHE_DIR": f"{own}/pip", **({"LDFLAGS": flags} if flags else {})}
