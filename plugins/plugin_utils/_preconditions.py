# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the steps need of Ansible itself: its version, and the strategy of the play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.release import __version__

OLDEST = (2, 19)
"""The oldest ansible-core, as in meta/runtime.yml, of which Ansible itself makes no more than a warning."""

UNEVEN = ("free", "host_pinned")
"""How the names of strategies end that let each host go on without the others."""


def check_version(version: str = __version__) -> None:
    """Refuse an ansible-core that is too old.

    :raises AnsibleLookupError: with a message for the user, which ansible-core before 2.19 shows as it is, of a lookup as well
    """
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise AnsibleLookupError(f"wsgi.stack needs ansible-core {wanted} or later, and this is {version}; install a newer one.")


def check_strategy(strategy: str, hosts: Sequence[str], apps: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a strategy with which each of several hosts would run the release commands of an app.

    :param hosts: those of the play
    :param apps: resolved
    :raises AnsibleError: with a message for the user
    """
    names = [app["name"] for app in apps if app.get("release_commands")]
    if names and len(hosts) > 1 and strategy.endswith(UNEVEN):
        raise AnsibleError(
            f"app {names[0]}: release_commands: they run once, before any host has the release, and with strategy: {strategy}"
            " the hosts do not wait for each other; use strategy: linear."
        )
