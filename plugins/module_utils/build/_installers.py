# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What to install for an app, and the commands of uv or pip that install it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, clipped, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils._layout import BUILD, build_unit, of
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry, _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.build._handover import Handover
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import pip_environment, uv_environment

TIMEOUT = 3600  # seconds: what has no wheel is compiled

TEXT_BYTES = 16 << 20
"""Bytes of a project's or a requirements file at most."""

# Python has no TOML reader before 3.11, and pip none that is public.
DEPENDENCIES = """
import json
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as stream:
    project = tomllib.load(stream)["project"]
print(json.dumps(["."] if "dependencies" in project.get("dynamic", []) else project.get("dependencies", [])))
"""


@dataclass(frozen=True)
class Choice:
    """What is to be installed.

    :param lock: what ``uv.lock`` pins, the project itself among it
    :param files: requirement files, absolute paths
    :param directories: local projects, absolute paths
    :param project: ``whole`` if the working directory is a project to build and install, ``dependencies`` if it declares
        dependencies and is run from where it lies
    :param requirements: requirements as such
    """

    lock: bool = False
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    project: str = ""
    requirements: tuple[str, ...] = field(default=())


def choose(app: App, source: str, installer: str) -> Choice:
    """Decide by the app's keys and by the files that its source has.

    ``requirements`` name what they name. Without them: ``uv.lock`` if the installer is uv, else ``requirements.txt``, both in
    the working directory, if there. In addition the project that the working directory is, unless ``uv.lock`` has it, and
    ``packages``.
    """
    if app["source"]["kind"] == "package":
        if app["requirements"]:
            fix = "remove requirements, or list what is needed in packages"
            raise StackError(
                "source",
                f"requirements: {app['requirements'][0]} is a file of the source, and source.package has none; {fix}.",
            )
        return Choice(requirements=(str(app["source"]["package"]), *additions(app)))
    directory = os.path.join(source, app["working_directory"])
    if not os.path.isdir(directory):
        raise StackError("source", f"working_directory: the source has no directory {app['working_directory']}; correct it.")
    packages = additions(app)
    if app["requirements"] is None:
        if installer == "uv" and os.path.isfile(os.path.join(directory, "uv.lock")):
            return Choice(lock=True, requirements=packages)
        named = [os.path.join(app["working_directory"], "requirements.txt")]
        named = [name for name in named if os.path.isfile(os.path.join(source, name))]
    else:
        named = app["requirements"]
    paths = [os.path.normpath(os.path.join(source, name)) for name in named]
    for name, path in zip(named, paths):
        if not os.path.exists(path):
            beside = os.path.join(app["working_directory"], name)
            hint = f"; there is {beside}" if os.path.exists(os.path.join(source, beside)) else ""
            raise StackError(
                "source", f"requirements: the source has no {name}{hint}; paths begin at the source's top, correct it."
            )
    directories = tuple(path for path in paths if os.path.isdir(path))
    files = tuple(path for path in paths if path not in directories)
    project = "" if os.path.normpath(directory) in directories else project_kind(source, directory)
    return Choice(files=files, directories=directories, project=project, requirements=packages)


def additions(app: App) -> tuple[str, ...]:
    """Requirements beside those of the source: ``packages``, and what the app's server needs in the build."""
    return (*app["packages"], *_registry.server(app["stack"]).requirements(app))


def project_kind(source: str, directory: str) -> str:
    """``whole``, ``dependencies`` or nothing, see ``Choice``.

    A ``pyproject.toml`` without a build system is often there for the settings of linters and nothing else.
    """
    pyproject = source_text(source, os.path.join(directory, "pyproject.toml"))
    if _has_table(pyproject, "build-system") or os.path.isfile(os.path.join(directory, "setup.py")):
        return "whole"
    return "dependencies" if _has_table(pyproject, "project") else ""


def source_text(source: str, path: str) -> str:
    """The text of a file of a source that is root's by now; "" if there is none.

    :raises StackError: it is not a file of the source, or far too large
    """
    top, real = os.path.realpath(source), os.path.realpath(path)
    shown = os.path.relpath(path, source)
    if not os.path.lexists(path):
        return ""
    if not real.startswith(top + os.sep):
        raise StackError("source", f"{shown} is a symlink to {real}, outside the source; put the file into the source.")
    try:
        text = _untrusted.text(real, TEXT_BYTES + 1)
    except OSError as error:
        raise StackError("source", f"{shown} cannot be read ({error.strerror}); correct the source.") from None
    if len(text) > TEXT_BYTES:
        raise StackError("source", f"{shown} has more than {TEXT_BYTES >> 20} MiB; correct the source.")
    return text


def _has_table(text: str, name: str) -> bool:
    return re.search(rf"^[ \t]*\[[ \t]*{name}[ \t]*\]", text, re.MULTILINE) is not None


class Installer:
    """Makes the virtual environment of one build, in a sandbox.

    :param app: the app, as resolved
    :param python: its interpreter, see ``_interpreter.probe``
    :param build: the build's directory, with ``source``, and ``venv`` as an empty directory
    :param overrides: ``build_environment``
    :param uv: the path of uv; with pip if not given
    """

    def __init__(
        self,
        app: App,
        python: Mapping[str, Any],
        build: str,
        overrides: Mapping[str, str],
        uv: str | None,
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
        self.handover = Handover({**environment, "UV_PROJECT_ENVIRONMENT": self.venv})
        self.sandbox = _sandbox.own_user(
            f"Build of the WSGI application {app['name']}",
            BUILD,
            app["name"],
            build_unit(BUILD, app["name"]),
            (self.venv,) if self.is_package else (self.venv, self.source),
        )

    def install(self, choice: Choice) -> str:
        """Make the environment, compile the source, and return what the programs printed."""
        if self.uv:
            return self._install_with_uv(self.uv, choice)
        return self._install_with_pip(choice)

    def _install_with_uv(self, uv: str, choice: Choice) -> str:
        python = os.path.join(self.venv, "bin/python")
        if self._lacks_distutils():
            with self._temporary_distutils(uv):
                return self._run(*self._fill_with_uv(uv, python, choice), *self._finish())
        venv = [uv, "venv", "--no-project", "--prompt", self.app["name"], "--python", self.python["executable"], self.venv]
        return self._run(venv, *self._fill_with_uv(uv, python, choice), *self._finish())

    def _fill_with_uv(self, uv: str, python: str, choice: Choice) -> Iterator[Sequence[str]]:
        if choice.lock:
            yield [uv, "sync", "--frozen", "--no-dev", "--no-editable", "--compile-bytecode", "--python", python]
        files = [*choice.files, *(["pyproject.toml"] if choice.project == "dependencies" else [])]
        targets = [*choice.directories, *(["."] if choice.project == "whole" else []), *choice.requirements]
        if files or targets:
            yield [uv, "pip", "install", "--compile-bytecode", "--python", python, *self.handover.arguments(files, targets)]

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
        targets = [*choice.directories, *(["."] if choice.project == "whole" else []), *choice.requirements]
        commands: list[Sequence[str]] = [venv]
        if choice.project == "dependencies":
            targets += json.loads(self._run(venv, [pip[0], "-c", DEPENDENCIES]).splitlines()[-1])
            commands = []
        files = list(choice.files)
        if targets and any("--hash=" in source_text(self.source, path) for path in files):
            # One hash makes pip demand one of everything in the same call, and a directory can have none.
            commands.append([*pip, *self.handover.arguments(files, [])])
            files = []
        if files or targets:
            commands.append([*pip, *self.handover.arguments(files, targets)])
        return self._run(*commands, *self._finish())

    def _finish(self) -> Iterator[Sequence[str]]:
        if self.app["source"]["kind"] == "git":
            yield ["find", self.source, "-name", ".git", "-prune", "-exec", "rm", "-rf", "{}", "+"]
        if not self.is_package:
            # A file that is no Python of this version is not an error: it may be a template, or a test.
            compiling = '"$1" -m compileall -qq "$2" || true'
            yield ["sh", "-c", compiling, "sh", os.path.join(self.venv, "bin/python"), self.source]

    def _run(self, *commands: Sequence[str]) -> str:
        completed = self.sandbox.run(commands, self.handover.environment, self.directory, TIMEOUT, self.handover.files)
        if completed.code:
            raise StackError("install", cause(completed, self.python["version"]), completed.output)
        return completed.output


def _server_environment(app: App, python: Mapping[str, Any], cache: str) -> dict[str, str]:
    """What a uWSGI needs that is compiled in the build: it is linked with this very interpreter's libpython.

    Installers keep what they compiled, and do not tell two interpreters of one version apart.
    """
    if not _uwsgi.of_venv(app):
        return {}
    own = os.path.join(cache, _uwsgi.plugin_name(python))
    flags = _uwsgi.linker_flags(python)
    return {"UV_CACHE_DIR": f"{own}/uv", "PIP_CACHE_DIR": f"{own}/pip", **({"LDFLAGS": flags} if flags else {})}


PACKAGE = "add the Debian package that has it to system_packages"
TRUST = "add the certificate of the authority to the host's /usr/local/share/ca-certificates"
CREDENTIALS = "correct the credentials in build_environment"
INDEX = "correct the requirement, or the index and its credentials in build_environment"
NETWORK = "correct the host's network or the index that is asked"
REQUIREMENT = "correct the requirement, or name another python"
LOG = "the log has what was printed"
SPACE = "free some space on the host"
PROGRAM = r"(?:\S*gcc|\S*g\+\+|cc|c\+\+|make|cmake|rustc|cargo|pg_config|mysql_config|pkg-config)"

# The first that fits names the cause, and the fix: what a compiler misses comes before what pip and uv make of that.
# (uv before 0.13 draws a cross where it says "error:" now.)
CAUSES = (
    (r"^[^\w\n]*(?:cause: |error: |ERROR: )*(.*(?:No space left on device|Disk quota exceeded).*)", SPACE),
    (r"fatal error: (\S+: No such file or directory)", PACKAGE),
    (rf"\W({PROGRAM}['\"]?(?: executable)?(?: not found| failed: No such file or directory))", PACKAGE),
    (r"^(.*(?:CERTIFICATE_VERIFY_FAILED|UnknownIssuer|certificate verify failed).*)", TRUST),
    (r"^hint: (An index URL .*\b(?:401|403)\b.*)", CREDENTIALS),
    (r"^WARNING: Retrying .* after connection broken by '?(.*)", NETWORK),
    (r"^error: (Failed to fetch:? .*(?:\n  cause: .*)*)", NETWORK),
    (r"\(from versions: none\)\nERROR: (No matching distribution found for .*)", INDEX),
    (r"^ERROR: (No matching distribution found for .*)", REQUIREMENT),
    (r"^[ \t]*(?:error:|\u00d7) (No solution found when resolving dependencies.*(?:\n +\S.*)*)", REQUIREMENT),
)
# What pip and uv say of other errors. If a build backend failed, the cause is in what that printed.
GENERAL = (
    (r"^[ \t]*(?:error:|\u00d7) (.*(?:\n  cause: .*(?:\n {9}\S.*)*)*)", LOG),
    (r"^ERROR: (?!Ignored the following)(.*)", LOG),
)
# What a build backend printed, as pip and as uv quote it.
PIP_QUOTES, PIP_QUOTED = " lines of output]\n", re.compile(r"\n[ \t]*\[end of output\]")
UV_QUOTE = re.compile(r"^  cause: Call to .* failed .*\n((?:(?: {9}.*)?\n)+)", re.MULTILINE)
BUILDING = r"(?:Failed (?:to|to download and) build `|Building wheel for |Failed building wheel for )([^`@\s]+)"
CONCLUSION = ", we can conclude that your requirements are unsatisfiable"


def cause(completed: Completed, version: str) -> str:
    """Why an installation into a virtual environment failed, and what to do. Pure.

    :param version: of the app's interpreter
    """
    if "ensurepip is not" in completed.output or "No module named venv" in completed.output:
        package = "python" + ".".join(version.split(".")[:2]) + "-venv"
        return f"this Python has no ensurepip, which pip needs; add {package} to system_packages, or set app_installer: uv."
    return "{}; {}.".format(*first_cause(completed))


def backend_output(output: str) -> str:
    """What a build backend printed, out of what pip or uv did; "" if none failed. Pure."""
    _before, quotes, rest = output.partition(PIP_QUOTES)
    if quotes and (end := PIP_QUOTED.search(rest)):
        return rest[: end.start()]
    quoted = UV_QUOTE.search(output)
    return quoted[1] if quoted else ""


def first_cause(completed: Completed) -> tuple[str, str]:
    """Why pip or uv failed, out of all that they and compilers print, and what to do. Pure."""
    output = clipped(completed.output)
    backend = backend_output(output)
    reason, fix = decisive_line(backend or output) or completed.last_line, LOG
    for pattern, known_fix in CAUSES if backend else CAUSES + GENERAL:
        found = re.search(pattern, output, re.MULTILINE)
        if found:
            reason, fix = re.sub(r":?\s*\n\s*(?:cause:|[\u2500-\u257f\u25b6]+) ", ": ", found[1]), known_fix
            break
    reason = " ".join(reason.split()).replace(CONCLUSION, "").rstrip(".")
    building = re.search(BUILDING, output)
    if building and building[1] not in reason:
        reason = f"{building[1]} cannot be built: {reason}"
    return reason, fix
