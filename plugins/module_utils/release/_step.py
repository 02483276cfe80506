# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``release``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _errors
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.release import _make


def release(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Make a release of each app that has a build.

    :param wanted: the module's parameters
    :returns: the module's result
    """
    secrets = _resolve.read_secrets(wanted["secrets"])
    builds = wanted["builds"]
    processors = len(os.sched_getaffinity(0))
    host = {"processors": processors, "backlog": _sockets.somaxconn() or 128}  # 128 is the least that a kernel has by default
    request = _make.ReleaseRequest(
        host, check, wanted["nginx_group"], wanted["host"], wanted["command_results"], wanted["defer_commands"]
    )
    results, failures = _errors.for_each_app(
        [app for app in wanted["apps"] if app["name"] in builds],
        lambda app: _make.make(app, secrets[app["name"]]["environment"], builds[app["name"]], request),
        wanted["jobs"] or processors,
    )
    made = {name: result for name, result in results.items() if result is not None}
    return {
        "changed": any(result["changed"] for result in made.values()),
        "releases": {name: result["number"] for name, result in made.items()},
        "commands": {name: result["commands"] for name, result in made.items() if result["commands"]},
        "affected": [name for name, result in made.items() if result["changed"]],
        "deferred": [name for name, result in results.items() if result is None],
        "failures": failures,
        "warnings": [result["warning"] for result in made.values() if "warning" in result],
        "diff": [
            {
                "before_header": name,
                "after_header": f"{name}, release {result['number']}",
                "before": result["before"],
                "after": result["after"],
            }
            for name, result in made.items()
            if result["changed"]
        ],
    }


STEP = Step(
    {
        "apps": {"type": "list", "elements": "dict", "required": True},
        "secrets": {"type": "str", "required": True, "no_log": True},
        "builds": {"type": "dict", "required": True},
        "command_results": {"type": "dict"},
        "defer_commands": {"type": "bool", "default": False},
        "nginx_group": {"type": "str", "default": "www-data"},
        "host": {"type": "str", "default": ""},
        "jobs": {"type": "int"},
    },
    release,
)
