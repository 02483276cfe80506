# SPDX-License-Identifier: GPL-3.0-or-later
"""Making sure that uWSGI has the plugins that interpreters need."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.build import _interpreter
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import (
    _compile,
    _diagnosis,
    _embedded_python,
    _file,
    _sources,
    _uwsgi_binary,
)
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._plan import (
    ABSENT,
    BUILD,
    DONE,
    KEPT,
    RELEASE,
    REMOVE,
    Item,
    agree,
    choose,
    described,
    lacking,
    name_of,
    order_for,
    plan,
)
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core

T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """An interpreter that somebody wants plugins for.

    :ivar label: the app, or the interpreter as it was named
    :ivar unsure: whether it may yet come with something that is not installed in check mode
    """

    label: str
    python: str
    user: str
    unsure: bool = False


@dataclass
class Request:
    """One call.

    :ivar source: ``distribution``, ``pypi``, ``auto`` or a release of uWSGI's
    :ivar install: whether what a build lacks can be installed
    :ivar installed: the packages that were, for this call
    """

    wishes: Sequence[Wish]
    plugins: Sequence[str]
    source: str
    jobs: int
    check_mode: bool
    install: bool = False
    installed: Sequence[str] | None = None
    interpreters: _interpreter.Prober = field(default_factory=_interpreter.Prober)


class Failures:
    """What went wrong, for whom."""

    def __init__(self) -> None:
        self.found: list[tuple[str, StackError]] = []

    def add(self, labels: Iterable[str], failure: StackError) -> None:
        self.found += [(label, failure) for label in labels]

    def guarded(self, item: Item | Wish, work: Callable[..., T], *arguments: Any) -> T | None:
        """The result of some work, or nothing if it failed, for those whom it was for."""
        try:
            return work(*arguments)
        except StackError as failure:
            found = failure
        except OSError as error:
            found = from_os_error(error, "plugin")
        if isinstance(item, Item):
            item.failed = True
        self.add(item.labels if isinstance(item, Item) else [item.label], found)
        return None

    @property
    def labels(self) -> set[str]:
        return {label for label, _failure in self.found}


def wishes(pythons: Sequence[str] | None, apps: Sequence[Mapping[str, Any]] | None) -> list[Wish]:
    """Who wants plugins for what: the interpreters named, or those of the apps.

    :param apps: as resolved
    """
    if apps is not None:
        return [Wish(app["name"], app["python"], app["user"], bool(app["system_packages"])) for app in apps]
    return [Wish(python, python, _embedded_python.USER) for python in dict.fromkeys(pythons or [])]


def check(request: Request) -> None:
    """Refuse what nothing can be made of, before the host is looked at.

    :raises StackError: in a sentence
    """
    if request.source not in ("distribution", "pypi", "auto") and not RELEASE.fullmatch(request.source):
        wanted = "distribution, pypi, auto or a release of uWSGI's such as 2.0.31"
        raise StackError("plugin", f"source: found {request.source!r}, wanted {wanted}.")
    for plugin in request.plugins:
        if not re.fullmatch(r"[A-Za-z]\w*", plugin, re.ASCII):
            wanted = "the name of a directory below plugins in uWSGI's sources, such as gevent"
            raise StackError("plugin", f"plugins: found {plugin!r}, wanted {wanted}.")
        if plugin in ("pypy", "pyuwsgi"):
            raise StackError("plugin", f"plugins: found {plugin}, which is not built for an interpreter; remove it.")


def warning(leftover: Mapping[str, str]) -> str:
    """What to know of a plugin that is left over, and to do."""
    fix = "remove it, or name its interpreter in python, so that it is built anew"
    return f"{leftover['path']}: {leftover['reason']}, which would load it without a word and then hang; {fix}."


def failure_of_python(failure: StackError) -> dict[str, Any]:
    """A failure that is no app's, as the module returns it."""
    return {"step": failure.step, "message": failure.cause, "log": failure.log.splitlines()[-200:]}


def present(request: Request) -> tuple[dict[str, Any], Failures]:
    """Make sure that the plugins are there and fit.

    :returns: the module's result, without the failures; or ``needed`` alone: the packages to install first, with nothing done
    """
    failures = Failures()
    core = _core(request, failures)
    pythons = _probe(request, failures)
    items = _items(request, core, pythons, failures)
    for item in items:
        failures.guarded(item, plan, item, core)
    items = _good(items)
    building = [item for item in items if item.action == BUILD]
    missing = lacking(building)
    if missing and request.install and not request.check_mode and request.installed is None:
        return {"changed": False, "needed": missing}, Failures()
    if building and not request.check_mode:
        everyone = Item("", sorted({label for item in building for label in item.labels}), None, "")
        failures.guarded(everyone, _build, building, core, request.jobs, failures)
        for item in building:
            item.failed = item.failed or everyone.failed
    items = _good(items)
    dependencies = missing if request.install and request.check_mode else request.installed or []
    return {**_result(items, request), "build_dependencies": sorted(dependencies), "leftovers": _leftovers(core, items)}, failures


def absent(request: Request) -> tuple[dict[str, Any], Failures]:
    """Remove the plugins that this module built; a packaged one, or somebody else's, stays.

    An interpreter that is gone is known by what the stamps say.
    """
    failures = Failures()
    try:
        core = _uwsgi_binary.read()
    except StackError:
        return {**_result([], request), "build_dependencies": [], "leftovers": []}, failures
    found = [
        _removal(wish, plugin, python, core)
        for wish in request.wishes
        for python in _names(wish, request, core)
        for plugin in request.plugins
    ]
    items = list({item.planned.path: item for item in found}.values())
    for item in items:
        if item.action == REMOVE and not request.check_mode:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(item.planned.path)
    leftovers = _leftovers(core, [item for item in items if item.action == REMOVE])
    return {**_result(items, request), "build_dependencies": [], "leftovers": leftovers}, failures


def _core(request: Request, failures: Failures) -> Core | None:
    try:
        return _uwsgi_binary.read()
    except StackError as failure:
        if not request.check_mode:
            failures.add((wish.label for wish in request.wishes), failure)
        return None


def _probe(request: Request, failures: Failures) -> dict[str, dict[str, Any]]:
    """The interpreters of those who want one, by label; of those that may come yet there is none."""

    def probe(wish: Wish) -> dict[str, Any] | None:
        try:
            python = request.interpreters.probe(wish.python, wish.user)
        except StackError:
            if wish.unsure and request.check_mode:
                return None
            raise
        return _suitable(python, wish)

    wishes = [wish for wish in request.wishes if wish.label not in failures.labels]
    with ThreadPoolExecutor(max_workers=max(1, request.jobs)) as pool:
        answers = list(pool.map(lambda wish: failures.guarded(wish, probe, wish), wishes))
    return {wish.label: answer for wish, answer in zip(wishes, answers) if answer is not None}


def _suitable(python: dict[str, Any], wish: Wish) -> dict[str, Any]:
    if python["implementation"] != "CPython":
        what = f"{wish.python} is {python['implementation']}, which has no libpython that uWSGI's plugin could be linked with"
        raise StackError("plugin", f"{what}; name a CPython.")
    if not _interpreter.open_to_all(python["executable"]):
        cause = f"{python['executable']} can be run by {wish.user}, but not by every user, and uWSGI's plugins are for all"
        raise StackError("plugin", f"{cause}; move it to a place such as /opt, or open its directories.")
    return python


def _items(request: Request, core: Core | None, pythons: Mapping[str, dict[str, Any]], failures: Failures) -> list[Item]:
    """Every plugin once, whoever wants it."""
    items: dict[str, Item] = {}
    for wish in request.wishes:
        if wish.label in failures.labels:
            continue
        python = pythons.get(wish.label)
        for plugin in request.plugins:
            item = Item(plugin, [wish.label], python, wish.python)
            if core is None or python is None:
                item.reason = "uWSGI is not installed yet" if core is None else "the interpreter is not installed yet"
                items[f"{wish.python} {plugin}"] = item
                continue
            try:
                item.order = order_for(plugin, python, choose(request.source, core, python), core)
                same = items.setdefault(item.order.name, item)
                if same is not item:
                    agree(same, item)
                    same.labels.append(wish.label)
            except StackError as failure:
                failures.add([wish.label], failure)
    return list(items.values())


def _build(items: Sequence[Item], core: Core, jobs: int, failures: Failures) -> None:
    """Compile all at once, then try and install one after the other, Python's own before what stands on it."""
    with locked(core.directory):
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
    """Have the sources there, and their digest in the stamp.

    :param unavailable: the trees that cannot be had, which are asked for once
    """
    order = item.planned
    try:
        if order.sources.tree in unavailable:
            raise unavailable[order.sources.tree]
        _sources.fetch(order.sources)
    except StackError as failure:
        unavailable[order.sources.tree] = failure
        raise
    if not order.sources.present:
        cause = f"there are no sources of uWSGI in {order.sources.tree}"
        missing = _diagnosis.Diagnosis(cause, (_sources.PACKAGE,))
        raise _compile.refusal(order, missing, "")
    order.wanted["source"]["sha256"] = order.sources.digest(order.plugin)


def _install(item: Item, draft: str) -> None:
    """Put a draft in the place of what was there."""
    order = item.planned
    path = order.path
    _compile.settle(order, draft)
    if item.foreign:
        original = f"{os.path.basename(path)}.orig"
        kept = _compile.keep_original(path)
        item.reason += f", and is kept as {original}" if kept else f", and is not kept, because there is a {original}"
    os.replace(draft, path)


def _good(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if not item.failed]


def _names(wish: Wish, request: Request, core: Core) -> list[Mapping[str, Any]]:
    """The interpreters that a name means, as far as plugins go: what it answers, or else what stamps say that it was."""
    with contextlib.suppress(StackError):
        python = request.interpreters.probe(wish.python, wish.user)
        return [{"name": _uwsgi.plugin_name(python), "executable": python["executable"], "version": python["version"]}]
    found = {}
    for path in _file.paths(core):
        stamped = _file.read(path)
        stamp = (stamped.stamp if stamped else None) or {}
        executable = stamp.get("python", "")
        if wish.python in (executable, os.path.basename(executable)) and stamp.get("interpreter"):
            base = stamp["name"] if stamp["plugin"] == "python" else stamp["name"][len(stamp["plugin"]) + 1 :]
            found[base] = {"name": base, "executable": executable, "version": stamp["interpreter"]["version"]}
    return list(found.values())


def _removal(wish: Wish, plugin: str, python: Mapping[str, Any], core: Core) -> Item:
    name = name_of(plugin, python["name"])
    sources = _sources.distribution(core.release)
    order = _compile.Order(plugin, name, _file.path_of(core, name), python, {}, sources, core, None)
    item = Item(plugin, [wish.label], python, wish.python, order, ABSENT, "it is not there")
    found = _file.read(order.path)
    if found is not None and found.stamp is not None:
        item.action, item.reason, item.found = REMOVE, "this module built it", found.stamp
    elif found is not None:
        item.action, item.reason = KEPT, "this module did not build it"
    return item


def _leftovers(core: Core | None, handled: Iterable[Item]) -> list[dict[str, str]]:
    if core is None:
        return []
    paths = {item.order.path for item in handled if item.order}
    return [leftover for leftover in _file.leftovers(core) if leftover["path"] not in paths]


def _result(items: Sequence[Item], request: Request) -> dict[str, Any]:
    changes = [item for item in items if item.action in DONE]
    before = {item.shown: described(item.found) for item in changes}
    after = {item.shown: described(item.order.wanted) if item.order and item.action == BUILD else {} for item in changes}
    return {
        "changed": bool(changes),
        "plugins": [item.result(request.check_mode) for item in items],
        "diff": {"before": before, "after": after},
    }
