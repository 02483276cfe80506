# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which host of several runs what runs on one host only. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Callable


def with_earlier_host(names: Collection[str], fleet: Sequence[str], host: str, apps: Callable[[str], set[str]]) -> set[str]:
    """The apps that a host before this one has, too.

    :param names: of the apps in question
    :param fleet: the hosts, in the inventory's order
    :param apps: tells which apps a host has
    """
    found: set[str] = set()
    for earlier in fleet[: fleet.index(host)]:
        found |= apps(earlier) & set(names)
        if found == set(names):
            break
    return found
