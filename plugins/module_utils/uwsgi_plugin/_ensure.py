# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Makes sure that uWSGI has the plugins that interpreters need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import (
    _compile,
    _diagnosis,
    _result,
    _sources,
    _uwsgi_binary,
)
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._plan import (
    BUILD,
    Item,
    agree,
    choose,
    lacking,
    plan,
    spec_for,
)
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._requests import Failures, InterpreterRequest, PluginOptions
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core


def present(options: PluginOptions) -> tuple[dict[str, Any], Failures]:
    """Make sure that the plugins are there and fit.

    :returns: the module's result, without the failures; or ``needed`` alone: the packages to install first, with nothing done
    """
    failures = Failures()
    core = _core(options, failures)
    pythons = _probe(options, failures)
    items = _items(options, core, pythons, failures)
    for item in items:
        failures.guarded(item, plan, item, core)
    items = _good(items)
    building = [item for item in items if item.action == BUILD]
    missing = lacking(building)
    if missing and options.install and not options.check_mode and options.installed is None:
        return {"changed": False, "needed": missing}, Failures()
    if building and not options.check_mode:
        everyone = Item("", sorted({label for item in building for label in item.labels}), None, "")
        failures.guarded(everyone, _build, building, core, options.jobs, failures)
        for item in building:
            item.failed = item.failed or everyone.failed
    items = _good(items)
    dependencies = missing if options.install and options.check_mode else options.installed or []
    return {
        **_result.result(items, options),
        "build_dependencies": sorted(dependencies),
        "leftovers": _result.leftovers(core, items),
    }, failures


def _core(options: PluginOptions, failures: Failures) -> Core | None:
    try:
        return _uwsgi_binary.read()
    except StackError as failure:
        if not options.check_mode:
            failures.add((request.label for request in options.requests), failure)
        return None


def _probe(options: PluginOptions, failures: Failures) -> dict[str, dict[str, Any]]:
    """What each request's interpreter is, by label; in check mode without those that may yet be installed."""

    def probe(request: InterpreterRequest) -> dict[str, Any] | None:
        try:
            python = options.interpreters.probe(request.python)
        except StackError:
            if request.unsure and options.check_mode:
                return None
            raise
        return _suitable(python, request)

    requests = [request for request in options.requests if request.label not in failures.labels]
    with ThreadPoolExecutor(max_workers=max(1, options.jobs)) as pool:
        answers = list(pool.map(lambda request: failures.guarded(request, probe, request), requests))
    return {request.label: answer for request, answer in zip(requests, answers) if answer is not None}


def _suitable(python: dict[str, Any], request: InterpreterRequest) -> dict[str, Any]:
    if python["implementation"] != "CPython":
        what = f"{request.python} is {python['implementation']}, which has no libpython to link uWSGI's plugin with"
        raise StackError("plugin", f"{what}; name a CPython.")
    return python


def _items(options: PluginOptions, core: Core | None, pythons: Mapping[str, dict[str, Any]], failures: Failures) -> list[Item]:
    """The plugins to make, each once, with the labels of all requests for it."""
    items: dict[str, Item] = {}
    for request in options.requests:
        if request.label in failures.labels:
            continue
        python = pythons.get(request.label)
        for plugin in options.plugins:
            item = Item(plugin, [request.label], python, request.python)
            if core is None or python is None:
                item.message = "uWSGI is not installed yet" if core is None else "the interpreter is not installed yet"
                items[f"{request.python} {plugin}"] = item
                continue
            try:
                item.spec = spec_for(plugin, python, choose(options.source, core, python), core)
                same = items.setdefault(item.spec.name, item)
                if same is not item:
                    agree(same, item)
                    same.labels.append(request.label)
            except StackError as failure:
                failures.add([request.label], failure)
    return list(items.values())


def _build(items: Sequence[Item], core: Core, jobs: int, failures: Failures) -> None:
    """Compile all in parallel, then test and install them one by one, Python's before those that depend on it."""
    with locked("uwsgi-plugins"):
        _compile.clean(core)
        unavailable: dict[str, StackError] = {}
        for item in items:
            failures.guarded(item, plan, item, core)  # another run may have built it while this one waited
            if item.action == BUILD and not item.failed:
                failures.guarded(item, _prepare, item, unavailable)
        items = [item for item in _good(items) if item.action == BUILD]
        with _compile.draft_directory(core) as directory:
            with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
                compiled = pool.map(lambda item: failures.guarded(item, _compile.compile_draft, item.planned, directory), items)
                drafts = list(zip(items, compiled))
            for item, draft in sorted(drafts, key=lambda pair: pair[0].plugin != "python"):
                if draft is not None:
                    failures.guarded(item, _install, item, draft)


def _prepare(item: Item, unavailable: dict[str, StackError]) -> None:
    """Fetch the sources, and note their digest in the stamp.

    :param unavailable: the errors of trees that could not be fetched, so that each is tried once
    """
    spec = item.planned
    try:
        if spec.sources.tree in unavailable:
            raise unavailable[spec.sources.tree]
        _sources.fetch(spec.sources)
    except StackError as failure:
        unavailable[spec.sources.tree] = failure
        raise
    if not spec.sources.present:
        cause = f"there are no sources of uWSGI in {spec.sources.tree}"
        missing = _diagnosis.Diagnosis(cause, (_sources.PACKAGE,))
        raise _compile.refusal(spec, missing, "")
    spec.wanted["source"]["sha256"] = spec.sources.digest(spec.plugin)


def _install(item: Item, draft: str) -> None:
    """Replace the existing file with a draft."""
    spec = item.planned
    path = spec.path
    _compile.finish_draft(spec, draft)
    if item.foreign:
        original = f"{os.path.basename(path)}.orig"
        kept = _compile.keep_original(path)
        item.message += f"; it is kept as {original}" if kept else f"; it is not kept, because {original} already exists"
    os.replace(draft, path)


def _good(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if not item.failed]
