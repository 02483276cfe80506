# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Builds one plugin: compiles it as a temporary user, tests it in the installed uWSGI, and installs it atomically."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._uwsgi import PROGRAM
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import (
    _embedded_python,
    _file,
    _sources,
    _stamp,
    _uwsgi_binary,
)
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._diagnosis import (
    Diagnosis,
    diagnose,
    headers_package,
    of_distribution,
)
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._sources import Sources
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core

SCRATCH = ".wsgi-"
TIMEOUT = 600  # seconds
DEFAULT = "/usr/bin/python3"

# uWSGI hands the build over to the interpreter, whose distutils the plugins of earlier releases ask for its headers. Python
# 3.12 has none any more, Debian packages it apart, and what they ask for is in sysconfig.
SCRIPT = """
mkdir -p shim/distutils
: >shim/distutils/__init__.py
cat >shim/distutils/sysconfig.py <<'END'
from sysconfig import *


def get_python_inc(plat_specific=0, prefix=None):
    return get_path("platinclude" if plat_specific else "include")
END
export PYTHONPATH=/tmp/shim LC_ALL=C
{exports}
{program} --build-plugin {sources}
cat {name}_plugin.so >&3
"""


@dataclass(frozen=True)
class PluginSpec:
    """A plugin to build.

    :ivar plugin: the directory of its sources
    :ivar name: its name, such as ``python39``
    :ivar python: the interpreter, see ``build._interpreter.probe``
    :ivar wanted: its stamp, see ``_stamp.differences``
    :ivar base: the path of Python's plugin, if this one depends on it
    """

    plugin: str
    name: str
    path: str
    python: Mapping[str, Any]
    wanted: Mapping[str, Any]
    sources: Sources
    core: Core
    base: str | None


def variables(python: Mapping[str, Any] | None) -> dict[str, str]:
    """The variables of the compiler and of the linker, for an interpreter or for none.

    Without debugging information the result does not depend on the place where it is compiled.
    """
    include = python["include"] if python else ""
    return {
        # sysconfig names the compiler of the machine that the interpreter was compiled on.
        "CC": "gcc",
        "CFLAGS": f"-g0 -I{include}" if include and not include.startswith("/usr/include") else "-g0",
        "LDFLAGS": _uwsgi.linker_flags(python) if python else "",
    }


def draft_directory(core: Core) -> tempfile.TemporaryDirectory:
    """A temporary directory on the file system of the plugins, readable by every user."""
    directory = tempfile.TemporaryDirectory(prefix=SCRATCH, dir=core.directory)
    os.chmod(directory.name, 0o755)
    return directory


def compile_draft(spec: PluginSpec, directory: str) -> str:
    """Compile a plugin.

    :returns: the path of the file
    :raises StackError: it does not compile
    """
    for path in (spec.python["library"], spec.python["include"], spec.python["executable"]):
        if re.search(r"[\s\"'$`\\]", path):
            fix = "install it to a path without such characters"
            raise StackError("plugin", f"{path} contains a blank or a quote, which uWSGI's builder cannot handle; {fix}.")
    draft = os.path.join(directory, os.path.basename(spec.path))
    values = {"PYTHON": spec.python["executable"], **spec.wanted["build"]}
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
    sources = shlex.quote(f"{spec.sources.plugin(spec.plugin)} {spec.name}")
    script = SCRIPT.format(exports=exports, program=PROGRAM, sources=sources, name=spec.name)
    completed = _sandbox.run_script(script, draft, TIMEOUT)
    if completed.code == 124:
        cause = f"the plugin {spec.name} cannot be built: it took more than {TIMEOUT} s; run the play again."
        raise StackError("plugin", cause, completed.output)
    if completed.code:
        found = diagnose(completed.output, spec.python, spec.sources.release, os.path.realpath(DEFAULT))
        raise refusal(spec, found, completed.output)
    # As a file that nobody has open: what compiled it could give its descriptor to others.
    copy = f"{draft}.new"
    shutil.copyfile(draft, copy)
    os.rename(copy, draft)
    return draft


def packages(spec: PluginSpec) -> list[str]:
    """The Debian packages that building a plugin takes."""
    wanted = {"gcc", "libc6-dev", *_uwsgi_binary.packages(spec.core.flags)}
    if spec.sources.packaged:
        wanted.add(_sources.PACKAGE)
    elif not spec.sources.present:
        wanted.add("python3-venv")
    if spec.wanted["interpreter"] and of_distribution(spec.python):
        wanted.add(headers_package(spec.python))
    if spec.plugin == "greenlet" and spec.python["executable"] == os.path.realpath(DEFAULT):
        wanted.add("python-greenlet-dev")
    return sorted(wanted)


def refusal(spec: PluginSpec, diagnosis: Diagnosis, log: str) -> StackError:
    """The failure of a build.

    A compiler stops at the first missing header, so the message also names the other missing packages.
    """
    cause = f"the plugin {spec.name} cannot be built: {diagnosis.cause}"
    if not diagnosis.packages:
        return StackError("plugin", f"{cause}; {diagnosis.fix}.", log)
    unknown = sorted(set(diagnosis.packages) - _packages.installable(diagnosis.packages))
    if unknown:
        cause = f"{cause}, and apt knows no package {' and no '.join(unknown)}; add the package source that has it"
        return StackError("plugin", f"{cause}.", log)
    wanted = [*diagnosis.packages, *packages(spec)]
    missing = set(wanted) - _packages.installed(wanted)
    possible = _packages.installable(missing)
    fix = _packages.listed([package for package in wanted if package in possible] or diagnosis.packages)
    return StackError("plugin", f"{cause}; install {fix}, or set install_build_dependencies: true.", log)


def finish_draft(spec: PluginSpec, draft: str) -> None:
    """Test a draft in the installed uWSGI, then stamp it and set its owner and mode.

    :raises StackError: it does not fit the interpreter or uWSGI
    """
    if spec.base and not os.path.exists(spec.base):
        fix = "add python to plugins, or fix what keeps that one from being built"
        raise StackError("plugin", f"the plugin {spec.name} needs {spec.base}, which is missing; {fix}.")
    found = unfit(spec, draft)
    if found:
        fix = "name another python, or set uwsgi_install_from: venv"
        raise StackError("plugin", f"the plugin {spec.name} was built, but {found[0]}; {fix}.", found[1])
    with open(draft, "r+b") as stream:
        notes = {"plugin": spec.plugin, "name": spec.name, "python": spec.python["executable"]}
        stamped = _stamp.add(stream.read(), {**spec.wanted, **notes})
        stream.seek(0)
        stream.write(stamped)
        stream.flush()
        os.fchown(stream.fileno(), 0, 0)
        os.fchmod(stream.fileno(), _file.MODE)
        os.fsync(stream.fileno())


def keep_original(path: str) -> bool:
    """Keep the file that is to be replaced as ``<file>.orig``, unless there is one already."""
    try:
        os.link(path, f"{path}.orig", follow_symlinks=False)
    except FileExistsError:
        return False
    return True


def unfit(spec: PluginSpec, path: str) -> tuple[str, str] | None:
    """Why a file is not the plugin that is wanted, and uWSGI's output; None if it is."""
    if spec.wanted["interpreter"] and spec.base is None:
        return _embedded_python.of_plugin(path, spec.python)
    if spec.base is None:
        loaded = _file.loads(path)
    elif os.path.exists(spec.base):
        loaded = _embedded_python.with_plugins(spec.base, path)
    else:
        return f"it needs {spec.base}, which is missing (add python to plugins)", ""
    return (_embedded_python.unloadable(loaded.output), loaded.output) if loaded.code else None


def clean(core: Core) -> None:
    """Remove the drafts of runs that were killed; the caller holds the lock."""
    with os.scandir(core.directory) as found:
        drafts: Iterable[str] = [entry.path for entry in found if entry.name.startswith(SCRATCH)]
    for draft in drafts:
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(draft):
                os.unlink(os.path.join(draft, name))
            os.rmdir(draft)
