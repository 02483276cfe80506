# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the steps need: Ansible's version, the strategy of the play, and apps with every key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleLookupError
from ansible.release import __version__

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.plugin_utils import _refusal

OLDEST = (2, 19)
"""The oldest ansible-core, as in meta/runtime.yml, of which Ansible itself makes no more than a warning."""


def version_problem(version: str = __version__) -> str:
    """Why an ansible-core is refused, "" if it is not. Pure."""
    if tuple(map(int, version.split(".")[:2])) >= OLDEST:
        return ""
    wanted = ".".join(map(str, OLDEST))
    return f"wsgi.stack needs ansible-core {wanted} or later, and this is {version}; install a newer one."


def strategy_problem(strategy: str, hosts: Sequence[str], apps: Sequence[Mapping[str, Any]]) -> str:
    """Why a strategy is refused with which each of several hosts would run the release commands of an app, or "". Pure.

    :param hosts: those of the play
    :param apps: resolved
    """
    names = [app["name"] for app in apps if app.get("release_commands")]
    if not names or len(hosts) < 2 or not strategy.endswith(_refusal.UNEVEN):
        return ""
    return (
        f"app {names[0]}: release_commands: they run once, before any host has the release, and with strategy: {strategy}"
        " the hosts do not wait for each other; use strategy: linear."
    )


def apps_problem(arguments: Mapping[str, Any]) -> str:
    """Why the apps that a module is given are refused, which are to be resolved, "" if they are not. Pure.

    Anything but a list of dictionaries is the module's to refuse.

    :param arguments: of the module; those that are apps are called ``apps`` and ``app``
    """
    apps = arguments.get("apps")
    for app in [*(apps if isinstance(apps, list) else []), arguments.get("app")]:
        missing = sorted(App.__required_keys__ - app.keys()) if isinstance(app, Mapping) else []
        if missing:
            who = f"app {app['name']}" if "name" in app else "apps"
            return f"{who}: no {missing[0]}; give the module the apps as lookup('wsgi.stack.apps') returns them, with every key."
    return ""


def check_apps(arguments: Mapping[str, Any]) -> None:
    """Refuse apps, see ``apps_problem``.

    :raises AnsibleActionFail: with a message for the user
    """
    if problem := apps_problem(arguments):
        raise AnsibleActionFail(problem)


def check_version() -> None:
    """Refuse an ansible-core that is too old.

    :raises AnsibleLookupError: with a message for the user, which ansible-core before 2.19 shows as it is, of a lookup as well
    """
    if problem := version_problem():
        raise AnsibleLookupError(problem)


def check_strategy(strategy: str, hosts: Sequence[str], apps: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a strategy, see ``strategy_problem``.

    :raises AnsibleError: with a message for the user
    """
    if problem := strategy_problem(strategy, hosts, apps):
        raise AnsibleError(problem)
