# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the steps need of Ansible itself: its version, and the strategy of the play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.release import __version__

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
