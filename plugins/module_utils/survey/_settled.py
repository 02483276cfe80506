# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Apps that are settled: a step has nothing to do for them, while it has for others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

BY_APP = ("builds", "directories", "releases")
"""Arguments that have an entry for each app, beside ``apps``, the list of them."""


def failed(result: Mapping[str, Any]) -> set[str]:
    """The apps that failed."""
    return {failure["app"] for failure in result["failures"]}


def affected_by_build(result: Mapping[str, Any]) -> set[str]:
    """The apps that got another build, or failed."""
    return {name for name, build in result["builds"].items() if build["changed"]} | failed(result)


def affected_by_release(result: Mapping[str, Any]) -> set[str]:
    """The apps that got another release, will get it when their release commands have run, or failed."""
    return {*result["affected"], *result["deferred"]} | failed(result)


def affected_by_rollout(result: Mapping[str, Any]) -> set[str]:
    """The apps of which something was started, stopped or made live, those that are not finished, and those that failed."""
    return {*result["steps"], *result["staged"], *result["switching"]} | failed(result)


AFFECTED: dict[str, Callable[[Mapping[str, Any]], set[str]]] = {
    "wsgi.stack.build": affected_by_build,
    "wsgi.stack.release": affected_by_release,
    "wsgi.stack.rollout": affected_by_rollout,
    "wsgi.stack.site_probe_info": failed,
}
"""The steps that do for each app what they would do for it alone, and by their result the apps that it says something new of."""


def arguments(given: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The arguments of a step for these apps alone."""
    apps = [app for app in given["apps"] if app["name"] in names]
    by_app = {key: _of(given[key], names) for key in BY_APP if isinstance(given.get(key), Mapping)}
    return {**given, "apps": apps, **by_app}


def result(given: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What a step's result says of these apps, for which it has nothing to do."""
    kept: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            kept[key] = _of(value, names)
        elif isinstance(value, list):
            kept[key] = [each for each in value if isinstance(each, str) and each in names]
    return kept


def merged(done: Mapping[str, Any], settled: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a step for all apps.

    :param done: its result for the others
    :param settled: see ``result``
    """
    both: dict[str, Any] = {}
    for key, value in settled.items():
        both[key] = {**value, **done.get(key, {})} if isinstance(value, dict) else [*value, *done.get(key, [])]
    return {**done, **both}


def _of(by_app: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in by_app.items() if name in names}
