# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the steps of this run reported of a host's apps, kept in one place whether or not a play registers results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.wsgi.stack.plugins.plugin_utils import _notes

SUBJECT = "run"


class Report(NamedTuple):
    """What a host's steps reported so far.

    :ivar failures: ``app``, ``step``, ``message`` and ``log`` of each, in the order of the steps, each message once
    :ivar staged: names of apps with a release that waits behind the preview
    :ivar switching: names of apps that changed protocol, and whose old slot still runs
    :ivar releases: the number of the newest release of each app that has one, by name
    """

    failures: list[dict[str, Any]]
    staged: list[str]
    switching: list[str]
    releases: dict[str, int]

    @property
    def failed(self) -> list[str]:
        """The names of the apps that failed, each once."""
        return list(dict.fromkeys(failure["app"] for failure in self.failures))


def note(host: str, step: str, result: Mapping[str, Any], apps: Iterable[str], failures: list[dict[str, Any]]) -> None:
    """Keep what a step reported.

    :param step: an identity; a step that is retried replaces what it reported before
    :param result: the module's
    :param apps: the names of the apps that the step was given; what it says of their rollout replaces what was said before
    :param failures: those to keep
    """
    rollout = {key: list(result[key]) for key in ("staged", "switching") if key in result}
    entry = {"step": step, "failures": failures, "rollout": rollout, "releases": result.get("releases", {}), "apps": sorted(apps)}
    if failures or rollout or entry["releases"] or any(each["step"] == step for each in _notes.read(SUBJECT, host)):
        _notes.add(SUBJECT, host, entry)


def forget_failures(host: str) -> None:
    """Forget the failures up to here: they have been reported, and a rescue deals with them."""
    _notes.add(SUBJECT, host, {"step": None})


def report(host: str) -> Report:
    """What the host's steps reported so far."""
    failures: dict[str, list[dict[str, Any]]] = {}
    rollouts: dict[str, list[str]] = {"staged": [], "switching": []}
    releases: dict[str, int] = {}
    for entry in _notes.read(SUBJECT, host):
        if entry["step"] is None:
            failures = {}
            continue
        failures[entry["step"]] = entry["failures"]
        releases.update(entry["releases"])
        for key, names in entry["rollout"].items():
            rollouts[key] = [name for name in rollouts[key] if name not in entry["apps"]] + names
    unique = {failure["message"]: failure for found in failures.values() for failure in found}
    return Report(list(unique.values()), rollouts["staged"], rollouts["switching"], releases)
