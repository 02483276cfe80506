# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``retire``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils import _errors, _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _found, _remains
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _state


def retire(
    wanted: Mapping[str, Any],
    check: bool,
    remove: Callable[..., Any] | None = None,
    remove_directories: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """Remove the apps.

    :param wanted: the module's parameters
    :param remove: ``removal._remove.locked_retirement``, which changes the host
    :param remove_directories: ``removal._remove.remove_empty_directories``
    :returns: the module's result
    """
    directories = wanted["directory"], wanted["runtime_directory"]
    scope = _record.scope(wanted)
    everywhere = _found.found(*directories)
    there = {name for name in everywhere if scope.has(name)}
    layouts = {name: _layout.Layout(name, *directories) for name in sorted(everywhere | set(wanted["keep"]))}
    going = _found.going(there, wanted["keep"], wanted["remove"], wanted["prune"])
    instances = _state.instances(list(layouts.values()))
    remains = {name: _remains.look(layouts[name], instances, wanted["remove_shared"]) for name in going}

    failures: list[dict[str, Any]] = []
    if remove and not check:
        done, failures = _errors.for_each_app(
            [{"name": name} for name in going if remains[name]],
            lambda app: remove(layouts[app["name"]], wanted["remove_shared"]),
            wanted["jobs"] or 2 * len(os.sched_getaffinity(0)),
        )
        failures += _errors.of_all(done, _systemd.catch_up)
    gone = sorted(set(going) - {failure["app"] for failure in failures})
    staying = [layout for name, layout in layouts.items() if name not in gone]
    claimed = {entry["claims"].get("stack") for name, entry in scope.record.apps.items() if not scope.has(name)}
    own = [layouts[name] for name in layouts if name not in gone and (name in wanted["keep"] or scope.has(name))]
    unused = _remains.idle_trees([*wanted["stacks"], *claimed], staying, [layouts[name] for name in gone], instances)
    if remove_directories and not check:
        remove_directories(unused)
    using = _remains.running(own, instances)
    leftovers = _remains.leftovers(
        scope, {layout.name: _remains.running([layout], instances) for layout in own}, wanted["keep"], unused
    )
    return {
        "changed": any(remains.values()),
        "removed": [name for name in going if remains[name] and name in gone],
        "kept": {name: list(remains[name].kept) for name in gone if remains[name].kept},
        "dropped": sorted(there - set(wanted["keep"]) - set(going)),
        "unused": [*unused, *leftovers],
        "leftovers": leftovers,
        "leaving": sorted(using - set(wanted["stacks"])),
        "failures": failures,
        "diff": [
            {
                "before_header": name,
                "after_header": name,
                "before": "\n".join([*remains[name].lines(layouts[name]), ""]),
                "after": "",
            }
            for name in going
            if remains[name]
        ],
        "warnings": [message for name in gone if (message := _remains.message(layouts[name], remains[name]))],
    }


STEP = Step(
    {
        **_record.OPTIONS,
        "keep": {"type": "list", "elements": "str", "required": True},
        "remove": {"type": "list", "elements": "str", "default": []},
        "prune": {"type": "bool", "default": False},
        "remove_shared": {"type": "bool", "default": False},
        "stacks": {"type": "list", "elements": "str", "default": []},
        "directory": {"type": "path", "default": _layout.DIRECTORY},
        "runtime_directory": {"type": "path", "default": _layout.RUNTIME_DIRECTORY},
        "jobs": {"type": "int"},
    },
    retire,
)
