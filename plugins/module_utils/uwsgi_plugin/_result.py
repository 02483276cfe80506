# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the module ``uwsgi_plugin`` returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _file
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._plan import BUILD, DONE, Item, described
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._requests import PluginOptions
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core


def warning(leftover: Mapping[str, str]) -> str:
    """The warning about a plugin that was built for another uWSGI."""
    fix = "remove it, or name its interpreter in python, so that it is built anew"
    return f"{leftover['path']}: {leftover['message']}, which would load it silently and then hang; {fix}."


def failure_of_python(failure: StackError) -> dict[str, Any]:
    """A failure that is no app's, as the module returns it."""
    return {"step": failure.step, "message": failure.cause, "log": failure.log.splitlines()[-200:]}


def leftovers(core: Core | None, handled: Iterable[Item]) -> list[dict[str, str]]:
    if core is None:
        return []
    paths = {item.spec.path for item in handled if item.spec}
    return [leftover for leftover in _file.leftovers(core) if leftover["path"] not in paths]


def result(items: Sequence[Item], options: PluginOptions) -> dict[str, Any]:
    changes = [item for item in items if item.action in DONE]
    before = {item.shown: described(item.found) for item in changes}
    after = {item.shown: described(item.spec.wanted) if item.spec and item.action == BUILD else {} for item in changes}
    return {
        "changed": bool(changes),
        "plugins": [item.result(options.check_mode) for item in items],
        "diff": {"before": before, "after": after},
    }
