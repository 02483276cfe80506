# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The options of one call of ``uwsgi_plugin``, the interpreters that it requests plugins for, and what failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils.build import _interpreter
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._plan import RELEASE, Item

T = TypeVar("T")


@dataclass(frozen=True)
class InterpreterRequest:
    """An interpreter that plugins are requested for.

    :ivar label: the app, or the interpreter as it was named
    :ivar unsure: whether it may yet come with something that is not installed in check mode
    """

    label: str
    python: str
    unsure: bool = False


@dataclass
class PluginOptions:
    """The options of one call.

    :ivar source: ``distribution``, ``pypi``, ``auto`` or a release of uWSGI's
    :ivar install: whether what a build lacks can be installed
    :ivar installed: the packages that were installed for this call; None if that has not been tried
    """

    requests: Sequence[InterpreterRequest]
    plugins: Sequence[str]
    source: str
    jobs: int
    check_mode: bool
    install: bool = False
    installed: Sequence[str] | None = None
    interpreters: _interpreter.Prober = field(default_factory=_interpreter.Prober)


class Failures:
    """The errors of one call, each with the label of the request that failed."""

    def __init__(self) -> None:
        self.found: list[tuple[str, StackError]] = []

    def add(self, labels: Iterable[str], failure: StackError) -> None:
        self.found += [(label, failure) for label in labels]

    def guarded(self, item: Item | InterpreterRequest, work: Callable[..., T], *arguments: Any) -> T | None:
        """The result of some work; None if it failed, which is noted for the requests that the item belongs to."""
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


def requests(pythons: Sequence[str] | None, apps: Sequence[App] | None) -> list[InterpreterRequest]:
    """The requests of a call: the interpreters named, or those of the apps."""
    if apps is not None:
        return [InterpreterRequest(app["name"], app["python"], bool(app["system_packages"])) for app in apps]
    return [InterpreterRequest(python, python) for python in dict.fromkeys(pythons or [])]


def check(options: PluginOptions) -> None:
    """Refuse a source or plugins that do not exist, before the host is examined.

    :raises StackError: the first mistake found
    """
    if options.source not in ("distribution", "pypi", "auto") and not RELEASE.fullmatch(options.source):
        choices = "distribution, pypi, auto or a release of uWSGI such as 2.0.31"
        raise StackError("plugin", f"source: {options.source!r} is unknown; set {choices}.")
    for plugin in options.plugins:
        if not re.fullmatch(r"[A-Za-z]\w*", plugin, re.ASCII):
            example = "name a directory below plugins in uWSGI's sources, such as gevent"
            raise StackError("plugin", f"plugins: {plugin!r} is not the name of a plugin; {example}.")
        if plugin in ("pypy", "pyuwsgi"):
            raise StackError("plugin", f"plugins: {plugin} is not built for an interpreter; remove it.")
