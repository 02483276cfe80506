# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``rollout``."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils import _errors
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError, StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _plan, _state

ENDING = 4
"""So many times more apps than start at once may be in a rollout: the others wait until the last requests to their former
releases have ended, which takes memory, but no processor."""


def rollout(wanted: Mapping[str, Any], check: bool, roll_out: Callable[..., Any] | None = None) -> dict[str, Any]:
    """Roll out each app that has a release.

    :param wanted: the module's parameters
    :param roll_out: ``rollout._run.locked_rollout``, which changes the host
    :returns: the module's result
    :raises InventoryError: a release that is no number
    """
    releases = {name: _number(name, number) for name, number in wanted["releases"].items()}
    apps: list[App] = [app for app in wanted["apps"] if app["name"] in releases]
    stacks = {app["name"]: app["stack"] for app in apps}
    try:
        states = _state.observe([_state.ObservedApp.of(app) for app in apps], wanted["nginx_user"])
    except StackError as error:  # such as a process manager that cannot be asked: the apps of the others go out
        failed = [error.result(app["name"]) for app in apps]
        return {"changed": False, "steps": {}, "staged": [], "switching": [], "failures": failed, "diff": []}
    options = wanted["preview"], wanted["finish"]
    workers = {app["name"]: _state.has_workers(app, releases[app["name"]]) for app in apps}
    plans = {name: _plan.plan(state, releases[name], stacks[name], *options, workers[name]) for name, state in states.items()}
    failures: list[dict[str, Any]] = []
    if roll_out and not check:
        jobs = wanted["jobs"] or 2 * len(os.sched_getaffinity(0))
        turns = threading.Semaphore(jobs)
        done, failures = _errors.for_each_app(
            [app for app in apps if plans[app["name"]]],
            lambda app: roll_out(app, releases[app["name"]], wanted["nginx_user"], *options, turns),
            ENDING * jobs,
        )
        failures += _errors.of_all(done, _systemd.catch_up)
        plans.update(done)
    staged = {name for name, state in states.items() if wanted["preview"] and _plan.staged(state, releases[name], stacks[name])}
    not_switching = staged | {failure["app"] for failure in failures}
    return {
        "changed": any(plans.values()),
        "steps": {name: [list(step) for step in steps] for name, steps in plans.items() if steps},
        "staged": sorted(staged),
        "switching": [
            name
            for name, state in states.items()
            if _plan.switching(state, releases[name], stacks[name]) and name not in not_switching
        ],
        "failures": failures,
        "diff": [
            {
                "before": f"{name}: {_plan.describe(states[name])}\n",
                "after": f"{name}: {_plan.describe_plan(steps, releases[name], stacks[name])}\n",
            }
            for name, steps in plans.items()
            if steps
        ],
    }


def _number(app: str, release: Any) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", str(release)):
        raise InventoryError(f"releases: {app}: {release!r} is no number of a release; use what wsgi.stack.release returned.")
    return int(release)


STEP = Step(
    {
        "apps": {"type": "list", "elements": "dict", "required": True},
        "releases": {"type": "dict", "required": True},
        "preview": {"type": "bool", "default": False},
        "finish": {"type": "bool", "default": False},
        "nginx_user": {"type": "str", "default": "www-data"},
        "jobs": {"type": "int"},
    },
    rollout,
)
