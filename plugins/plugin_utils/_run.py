# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the steps of this run reported of a host's apps, kept in one place whether or not a play registers results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.plugin_utils import _notes

SUBJECT, LIVE = "run", "live"

LISTS = ("staged", "switching", "deferred", "delayed")
"""Results that list apps. What a step says of its apps replaces what was said before."""


@dataclass
class Report:
    """What a host's steps reported so far.

    :ivar failures: ``app``, ``step``, ``message`` and ``log`` of each, in the order of the steps, each message once
    :ivar staged: names of apps with a release that waits behind the preview
    :ivar switching: names of apps that changed protocol, and whose old slot still runs
    :ivar deferred: names of apps that get a new release when their release commands have run
    :ivar delayed: names of apps whose site has to wait for that of one that is deferred
    :ivar late: names of apps that were deferred or delayed, and are not any more
    :ivar releases: the number of the newest release of each app that has one, by name
    :ivar revisions: of each app's build, by name
    :ivar rolled_out: names of apps of which a rollout was asked for, and succeeded; those that are staged, too
    :ivar changed: names of apps of which something that runs or is served has changed
    :ivar removed: names of apps that were removed
    :ivar seconds: that the host worked on each app, by name
    :ivar live: ``release`` and ``revision`` that were live at the beginning, by the name of each app that had a live release
    """

    failures: list[dict[str, Any]] = field(default_factory=list)
    staged: list[str] = field(default_factory=list)
    switching: list[str] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)
    delayed: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    releases: dict[str, int] = field(default_factory=dict)
    revisions: dict[str, str | None] = field(default_factory=dict)
    rolled_out: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    live: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """The names of the apps that failed, each once."""
        return list(dict.fromkeys(failure["app"] for failure in self.failures))

    @property
    def unfinished(self) -> list[str]:
        """The names of the apps that keep what they have: they failed, are staged or deferred, or wait for one that is."""
        return list(dict.fromkeys([*self.failed, *self.staged, *self.deferred, *self.delayed]))

    @property
    def held_up(self) -> list[str]:
        """The names of the apps whose newest release is not live, and that wait for no release commands."""
        return [
            name
            for name, number in self.releases.items()
            if self.live.get(name, {}).get("release") != number and name not in self.failed
        ]


def note(host: str, step: str, result: Mapping[str, Any], apps: Iterable[str], failures: list[dict[str, Any]]) -> None:
    """Keep what a step reported.

    :param step: an identity; a step that is retried replaces what it reported before
    :param result: the module's
    :param apps: the names of the apps that the step was given; what it says of them replaces what was said before
    :param failures: those to keep
    """
    lists = {key: list(result[key]) for key in LISTS if key in result}
    entry = {
        "step": step,
        "failures": failures,
        "lists": lists,
        "releases": result.get("releases"),
        "apps": sorted(apps),
        "revisions": {name: build["revision"] for name, build in (result.get("builds") or {}).items()},
        "steps": result.get("steps"),
        "files": result.get("changed_apps", []),
        "gone": result.get("removed", []) if "kept" in result else [],
        "seconds": result.get("seconds", {}),
    }
    told = any(entry[key] for key in ("failures", "lists", "revisions", "files", "gone", "seconds"))
    known = entry["releases"] is not None or entry["steps"] is not None
    if told or known or any(each["step"] == step for each in _notes.read(SUBJECT, host)):
        _notes.add(SUBJECT, host, entry)


def note_live(host: str, live: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what was live at the beginning, see ``Report.live``."""
    _notes.add(LIVE, host, dict(live))


def forget_failures(host: str) -> None:
    """Forget the failures up to here: they have been reported, and a rescue deals with them."""
    _notes.add(SUBJECT, host, {"step": None})


def report(host: str) -> Report:
    """What the host's steps reported so far."""
    found = Report(live=next(reversed(_notes.read(LIVE, host)), {}))
    failures: dict[str, list[dict[str, Any]]] = {}
    lists: dict[str, list[str]] = {key: [] for key in LISTS}
    late: list[str] = []
    for entry in _notes.read(SUBJECT, host):
        if entry["step"] is None:
            failures = {}
            continue
        failures[entry["step"]] = entry["failures"]
        if entry["releases"] is not None:
            found.releases = {name: number for name, number in found.releases.items() if name not in entry["apps"]}
            found.releases.update(entry["releases"])
        found.revisions.update(entry["revisions"])
        if entry["steps"] is not None:
            wrong = {failure["app"] for failure in entry["failures"]}
            found.rolled_out += [name for name in entry["apps"] if name not in wrong]
            found.changed += [name for name in entry["steps"] if name not in wrong]
        found.changed += entry["files"]
        found.removed += entry["gone"]
        for name, seconds in entry["seconds"].items():
            found.seconds[name] = found.seconds.get(name, 0.0) + seconds
        for key, names in entry["lists"].items():
            lists[key] = [name for name in lists[key] if name not in entry["apps"]] + names
        if not lists["deferred"]:
            lists["delayed"] = []
        late += lists["deferred"] + lists["delayed"]
    found.failures = list({failure["message"]: failure for each in failures.values() for failure in each}.values())
    found.staged, found.switching, found.deferred, found.delayed = (lists[key] for key in LISTS)
    found.late = [name for name in dict.fromkeys(late) if name not in {*found.deferred, *found.delayed}]
    return found
