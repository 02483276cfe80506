# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of this run reported, kept in one place on the controller.

A file per host in Ansible's temporary directory, which is new for each run, shared by its worker processes and removed at its
end. Registered results and facts do not serve: results have to be listed one by one, and facts outlive a run in a fact cache,
are lost by ``meta: clear_facts``, are not taken from a failed task, and of a loop only the last item's remain.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from ansible import constants


class Report(NamedTuple):
    """What a host's steps reported so far.

    :ivar failures: ``app``, ``step``, ``message`` and ``log`` of each, in the order of the steps, each message once
    :ivar staged: names of apps with a release that waits behind the preview
    :ivar switching: names of apps that changed protocol, and whose old slot still runs
    """

    failures: list[dict[str, Any]]
    staged: list[str]
    switching: list[str]

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
    if failures or rollout:
        _append(host, {"step": step, "failures": failures, "rollout": rollout, "apps": sorted(apps)})
    elif any(entry.get("step") == step for entry in _entries(host)):
        _append(host, {"step": step, "failures": [], "rollout": {}, "apps": []})


def forget_failures(host: str) -> None:
    """Forget the failures up to here: they have been reported, and a rescue deals with them."""
    _append(host, {"step": None})


def report(host: str) -> Report:
    """What the host's steps reported so far."""
    failures: dict[str, list[dict[str, Any]]] = {}
    rollouts: dict[str, list[str]] = {"staged": [], "switching": []}
    for entry in _entries(host):
        if entry["step"] is None:
            failures = {}
            continue
        failures[entry["step"]] = entry["failures"]
        for key, names in entry["rollout"].items():
            rollouts[key] = [name for name in rollouts[key] if name not in entry["apps"]] + names
    unique = {failure["message"]: failure for found in failures.values() for failure in found}
    return Report(list(unique.values()), rollouts["staged"], rollouts["switching"])


def _path(host: str) -> str:
    return os.path.join(vars(constants)["DEFAULT_LOCAL_TMP"], f"wsgi.stack-{quote(host, safe='')}.jsonl")


def _append(host: str, entry: dict[str, Any]) -> None:
    with open(_path(host), "a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")


def _entries(host: str) -> list[dict[str, Any]]:
    try:
        with open(_path(host), encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]
    except FileNotFoundError:
        return []
