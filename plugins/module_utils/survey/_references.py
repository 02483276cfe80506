# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""References in the arguments of a step to what an earlier step returns, which the controller does not know yet. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MARK = "\ue000wsgi.stack:"
"""How a reference begins, with a character for private use: nobody writes that in an inventory."""


def reference(*path: str) -> str:
    """A reference to a value.

    :param path: the name of the registered result, and the keys that lead to the value
    """
    return MARK + json.dumps(path)


def resolve(value: Any, results: Mapping[str, Any]) -> Any:
    """A value with what its references stand for.

    :raises KeyError: there is no such result, or no such key in it
    """
    if isinstance(value, str) and value.startswith(MARK):
        found: Any = results
        for key in json.loads(value[len(MARK) :]):
            found = found[key]
        return found
    if isinstance(value, Mapping):
        return {key: resolve(each, results) for key, each in value.items()}
    if isinstance(value, list):
        return [resolve(each, results) for each in value]
    return value


def registered(value: Any) -> set[str]:
    """The names of the registered results that the references in a value lead to."""
    if isinstance(value, str):
        return {json.loads(value[len(MARK) :])[0]} if value.startswith(MARK) else set()
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list):
        return set()
    return {name for each in value for name in registered(each)}
