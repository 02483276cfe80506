# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``site_plan``: what is live keeps its place in the sites, and only what wants that place waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError, StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps._conflicts import check_conflicts
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step


def plan(
    apps: Sequence[App],
    live: Mapping[str, Mapping[str, Any]],
    unchanged: Collection[str],
    deferred: Collection[str] = (),
    only: Collection[str] = (),
) -> tuple[list[App], dict[str, str], list[str]]:
    """The apps as nginx is to serve them, and those that have to wait. Pure.

    :param apps: all apps, as they are wanted
    :param live: what is noted of each app that nginx serves, see ``nginx._files.SERVED``
    :param unchanged: the names of apps that keep what they have
    :param deferred: those of them that are to change later in this run
    :param only: the apps that the run is about, none for all
    :returns: the apps that have a site, those that keep theirs as they are live; the causes of those that wait, by name; and
        the names of those that wait only for one that is deferred
    """
    waiting: dict[str, str] = {}
    delayed: list[str] = []
    while True:
        staying = {*unchanged, *waiting, *delayed}
        kept = [_placed(app, live) for app in apps if app["name"] in staying and app["name"] in live]
        moving = [app for app in apps if app["name"] not in staying]
        found = next(((app, other, cause) for app in moving for other in kept if (cause := _conflict(other, app))), None)
        if found is None:
            break
        app, other, cause = found
        if other["name"] in {*deferred, *delayed}:
            delayed.append(app["name"])
            continue
        why = "its release failed or is staged"
        if only and other["name"] not in only:
            why = "this run is not about it"
        elif other["name"] in waiting:
            why = "it has to wait, too"
        waiting[app["name"]] = (
            f"{cause}, which keeps its site, since {why}; so the site of this app stays as it was, until app {other['name']} is"
            " fixed and the play is run again."
        )
    served = [_placed(app, live) if app["name"] in staying else app for app in apps if app["name"] in {*live} or app in moving]
    return served, waiting, delayed


def _placed(app: App, live: Mapping[str, Mapping[str, Any]]) -> App:
    """An app as it is live."""
    return cast("App", {**app, **live[app["name"]]})


def _conflict(kept: App, app: App) -> str:
    """What an app has that another one keeps, "" if nothing."""
    try:
        check_conflicts([kept, app])
    except InventoryError as error:
        return error.cause.partition(": ")[2].rpartition("; ")[0]
    return ""


def site_plan(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """See ``plan``.

    :param wanted: the module's parameters
    """
    apps = wanted["apps"]
    live = MemoryFile("nginx").read().notes
    served, waiting, delayed = plan(apps, live, wanted["unchanged_apps"], wanted["deferred_apps"], wanted["only_apps"])
    failures = [StackError("nginx", cause).result(name) for name, cause in sorted(waiting.items())]
    names = sorted([*waiting, *delayed])
    return {"changed": False, "apps": served, "waiting": names, "delayed": sorted(delayed), "failures": failures}


STEP = Step(
    {
        "apps": {"type": "list", "elements": "dict", "required": True},
        "unchanged_apps": {"type": "list", "elements": "str", "required": True},
        "deferred_apps": {"type": "list", "elements": "str", "default": []},
        "only_apps": {"type": "list", "elements": "str", "default": []},
    },
    site_plan,
)
