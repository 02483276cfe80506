# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Removes the plugins that the module built."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _compile, _file, _result, _sources, _uwsgi_binary
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._plan import ABSENT, KEPT, REMOVE, Item, name_of
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._requests import Failures, InterpreterRequest, PluginOptions
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core


def absent(options: PluginOptions) -> tuple[dict[str, Any], Failures]:
    """Remove the plugins that this module built. Those of packages and all others are kept.

    If an interpreter is not installed any more, the stamps of the plugins say which ones were its.
    """
    failures = Failures()
    try:
        core = _uwsgi_binary.read()
    except StackError:
        return {**_result.result([], options), "build_dependencies": [], "leftovers": []}, failures
    found = [
        _removal(request, plugin, python, core)
        for request in options.requests
        for python in _names(request, options, core)
        for plugin in options.plugins
    ]
    items = list({item.planned.path: item for item in found}.values())
    for item in items:
        if item.action == REMOVE and not options.check_mode:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(item.planned.path)
    leftovers = _result.leftovers(core, [item for item in items if item.action == REMOVE])
    return {**_result.result(items, options), "build_dependencies": [], "leftovers": leftovers}, failures


def _names(request: InterpreterRequest, options: PluginOptions, core: Core) -> list[Mapping[str, Any]]:
    """The interpreters of a request: the one that runs, or else those recorded in the stamps of plugins."""
    with contextlib.suppress(StackError):
        python = options.interpreters.probe(request.python)
        return [{"name": _uwsgi.plugin_name(python), "executable": python["executable"], "version": python["version"]}]
    found = {}
    for path in _file.paths(core):
        stamped = _file.read(path)
        stamp = (stamped.stamp if stamped else None) or {}
        executable = stamp.get("python", "")
        if request.python in (executable, os.path.basename(executable)) and stamp.get("interpreter"):
            base = stamp["name"] if stamp["plugin"] == "python" else stamp["name"][len(stamp["plugin"]) + 1 :]
            found[base] = {"name": base, "executable": executable, "version": stamp["interpreter"]["version"]}
    return list(found.values())


def _removal(request: InterpreterRequest, plugin: str, python: Mapping[str, Any], core: Core) -> Item:
    name = name_of(plugin, python["name"])
    sources = _sources.distribution(core.release)
    spec = _compile.PluginSpec(plugin, name, _file.path_of(core, name), python, {}, sources, core, None)
    item = Item(plugin, [request.label], python, request.python, spec, ABSENT, "it is missing")
    found = _file.read(spec.path)
    if found is not None and found.stamp is not None:
        item.action, item.message, item.found = REMOVE, "this module built it", found.stamp
    elif found is not None:
        item.action, item.message = KEPT, "this module did not build it"
    return item
