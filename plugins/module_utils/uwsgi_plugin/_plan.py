# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The plan for one plugin: what to build it from, and whether to build it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _compile, _diagnosis, _file, _sources, _stamp
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._sources import Sources
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core

KEPT, PACKAGED, BUILD, REMOVE, ABSENT = "present", "packaged", "build", "remove", "absent"
DONE = {BUILD: "built", REMOVE: "removed"}

RELEASE = re.compile(r"\d+(\.\d+)+")


@dataclass
class Item:
    """One plugin, as it is and as it should be.

    :ivar labels: those of the requests for it
    :ivar found: the stamp of the existing file
    :ivar message: why it is built, kept or removed
    :ivar foreign: whether the existing file comes neither from this module nor from a package
    :ivar spec: how to build it; None in check mode if uWSGI or the interpreter is not installed yet
    """

    plugin: str
    labels: list[str]
    python: Mapping[str, Any] | None
    named: str
    spec: _compile.PluginSpec | None = None
    action: str = BUILD
    message: str = ""
    found: dict[str, Any] = field(default_factory=dict)
    foreign: bool = False
    failed: bool = False

    def result(self, check_mode: bool) -> dict[str, Any]:
        done = f"would {self.action}" if check_mode else DONE.get(self.action)
        return {
            "plugin": self.plugin,
            "name": self.spec.name if self.spec else None,
            "path": self.spec.path if self.spec else None,
            "python": self.python["executable"] if self.python else self.named,
            "version": self.python["version"] if self.python else None,
            "action": done if self.action in DONE else self.action,
            "message": self.message,
        }

    @property
    def planned(self) -> _compile.PluginSpec:
        """How to build or remove it.

        :raises StackError: it is not known yet
        """
        if self.spec is None:
            raise StackError("plugin", f"{self.shown}: uWSGI or the interpreter is not installed; install it and run again.")
        return self.spec

    @property
    def shown(self) -> str:
        return self.spec.name if self.spec else f"{self.plugin} for {self.named}"


def choose(source: str, core: Core, python: Mapping[str, Any]) -> Sources:
    """The sources to build an interpreter's plugins from.

    :param source: see ``PluginOptions``
    """
    own = _sources.distribution(core.release)
    if source == "distribution" or (source == "auto" and not _diagnosis.too_old(own.release, python)):
        return own
    return _sources.released(source if RELEASE.fullmatch(source) else _sources.RELEASE)


def name_of(plugin: str, base: str) -> str:
    """The name of a plugin.

    :param base: the name of Python's plugin for the interpreter
    """
    if plugin == "python":
        return base
    return f"{plugin}_{base}" if plugin in _sources.FOR_PYTHON else plugin


def spec_for(plugin: str, python: Mapping[str, Any], sources: Sources, core: Core) -> _compile.PluginSpec:
    """How to build a plugin for an interpreter.

    :raises StackError: there is no such plugin
    """
    base = _uwsgi.plugin_name(dict(python))
    for_python = plugin in _sources.FOR_PYTHON
    name = name_of(plugin, base)
    wanted = {
        "format": _stamp.FORMAT,
        "uwsgi": core.key,
        "interpreter": {key: python[key] for key in ("version", "soabi", "library")} if for_python else {},
        "source": {"version": sources.release, "sha256": sources.digest(plugin)},
        "build": _compile.variables(python if for_python else None),
    }
    stands_on = _file.path_of(core, base) if plugin in _sources.LOOPS else None
    return _compile.PluginSpec(plugin, name, _file.path_of(core, name), python, wanted, sources, core, stands_on)


def plan(item: Item, core: Core) -> None:
    """Decide whether a plugin has to be built, and why.

    :raises StackError: it cannot be built, or the existing file must not be replaced
    """
    if item.spec is None:
        return
    spec = item.spec
    if os.path.islink(spec.path) and not os.path.exists(spec.path):
        item.action, item.message, item.foreign = BUILD, "it is a dangling symlink", True
        return
    found = _file.read(spec.path)
    if found is None:
        item.action, item.message = BUILD, "it is missing"
    elif found.stamp is not None:
        item.found = found.stamp
        changes = _stamp.differences(found, spec.wanted) + _file.wrong_permissions(spec.path)
        item.action, item.message = (BUILD, "; ".join(changes)) if changes else (KEPT, "it is up to date")
    else:
        _judge(item, spec, core)


def lacking(items: Sequence[Item]) -> list[str]:
    """The Debian packages that building plugins takes, and that are neither installed nor unknown to apt."""
    specs = [item.spec for item in items if item.spec]
    wanted = {package for spec in specs for package in _compile.packages(spec)}
    missing = set(wanted) - _packages.installed(wanted)
    return sorted(missing & _packages.installable(missing))


def agree(one: Item, other: Item) -> None:
    """Refuse two interpreters whose plugins would have the same name.

    :raises StackError: they would
    """
    if one.spec and other.spec and one.spec.wanted["interpreter"] != other.spec.wanted["interpreter"]:
        names = [item.python["executable"] for item in (one, other) if item.python]
        cause = f"{names[1]} would have a plugin of the same name as {names[0]}, {one.spec.name}"
        raise StackError("plugin", f"{cause}; move one of them to a directory of another name.")


def _judge(item: Item, spec: _compile.PluginSpec, core: Core) -> None:
    """Decide about a file that this module did not build: a package's is used if it fits, any other is replaced."""
    real = os.path.realpath(spec.path)
    package = next(iter(_file.owners([spec.path, real]).values()), None)
    if package is None:
        item.action, item.message, item.foreign = BUILD, "the existing file was not built by this module", True
        return
    unfit = _compile.unfit(spec, spec.path)
    if unfit:
        cause = f"{spec.path} comes from the package {package} and does not fit: {unfit[0]}"
        fix = f"bring that package and uwsgi-core ({core.version}) to versions that belong together"
        raise StackError("plugin", f"{cause}; {fix}.", unfit[1])
    item.action, item.message = PACKAGED, f"it comes from the package {package}, and fits"


def described(stamp: Mapping[str, Any]) -> dict[str, Any]:
    """A stamp as a diff shows it."""
    return {part: stamp[part] for part in ("uwsgi", "interpreter", "source", "build") if stamp.get(part)}
