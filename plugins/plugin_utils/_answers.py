# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the survey of a host found, for the steps that it found to have nothing to do, or nothing for some of the apps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.wsgi.stack.plugins.module_utils.survey import _settled
from ansible_collections.wsgi.stack.plugins.plugin_utils import _notes

SUBJECT = "survey"

DEPENDS = {
    "wsgi.stack.accounts": {"wsgi.stack.packages"},
    "wsgi.stack.build": {"wsgi.stack.accounts", "wsgi.stack.packages"},
    "wsgi.stack.release": {"wsgi.stack.build"},
    "wsgi.stack.uwsgi_plugin": {"wsgi.stack.packages"},
    "wsgi.stack.rollout": {"wsgi.stack.release", "wsgi.stack.uwsgi_plugin", "wsgi.stack.config_tree", "wsgi.stack.packages"},
    "wsgi.stack.site_certificates": {"wsgi.stack.packages", "wsgi.stack.config_tree"},
    "wsgi.stack.config_tree": {"wsgi.stack.packages", "wsgi.stack.site_certificates"},
    "wsgi.stack.certificate": {"wsgi.stack.packages", "wsgi.stack.site_certificates", "wsgi.stack.config_tree"},
    "wsgi.stack.site_probe_info": {
        "wsgi.stack.rollout",
        "wsgi.stack.config_tree",
        "wsgi.stack.certificate",
        "wsgi.stack.packages",
    },
}
"""The steps whose change makes the survey's answer for a step worthless, though its arguments are still the same."""


PACKAGES = "wsgi.stack.packages"
"""The only step that executes no module of its name, but ansible.builtin.apt."""


class Needed(NamedTuple):
    """What steps will need, as far as a survey found out.

    :ivar sources: the names of the apps whose source directory has to be sent for a build
    :ivar packages: the names of the Debian packages that are missing
    :ivar package_lists: whether apt has any, which it has not on a new host
    """

    sources: list[str]
    packages: list[str]
    package_lists: bool


def keep(host: str, answers: Iterable[Mapping[str, Any]], roles: Iterable[str], needed: Needed) -> None:
    """Keep what a survey found.

    :param answers: ``role``, ``module``, ``arguments`` and ``result`` of each step that was asked; the result is None if the step
        has something to do. Perhaps ``settled``: of the ``apps`` that it has nothing to do for, the ``result``, and ``arguments``
    :param roles: that were asked about
    """
    kept = [
        {
            **{key: answer[key] for key in ("role", "module", "result")},
            "arguments": digest(answer["arguments"]),
            "settled": {**settled, "arguments": digest(settled["arguments"])} if (settled := answer.get("settled")) else None,
        }
        for answer in answers
    ]
    _notes.add(SUBJECT, host, {"answers": kept, "roles": list(roles), "needed": needed._asdict()})


def needed(host: str) -> Needed:
    """What the survey found out; nothing without one."""
    notes = _notes.read(SUBJECT, host)
    return Needed(**notes[_last(notes)]["needed"]) if notes else Needed([], [], True)


def note_installed(host: str, packages: Iterable[str]) -> None:
    """Keep which Debian packages a step has installed."""
    if _notes.read(SUBJECT, host):
        _notes.add(SUBJECT, host, {"installed": list(packages)})


def installed(host: str) -> set[str]:
    """The Debian packages that steps have installed since the survey."""
    return {name for note in _since(_notes.read(SUBJECT, host)) for name in note.get("installed", [])}


def changed(host: str, module: str, apps: Iterable[str] | None = None) -> None:
    """A step has changed something on the host, or may have.

    :param apps: the names of those of which it has; None if it may be any
    """
    if _notes.read(SUBJECT, host):
        _notes.add(SUBJECT, host, {"changed": module, "apps": None if apps is None else sorted(apps)})


def answer(host: str, module: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a step would return, if that is known and it has nothing to do."""
    wanted = digest(arguments) if _notes.read(SUBJECT, host) else ""
    for each in _valid(host):
        if each["module"] == module and each["arguments"] == wanted:
            return dict(each["result"])
    return None


class Settled(NamedTuple):
    """The apps that a step has nothing to do for.

    :ivar apps: their names
    :ivar result: what the step returns of them
    """

    apps: frozenset[str]
    result: dict[str, Any]


def settled(host: str, module: str, arguments: Mapping[str, Any]) -> Settled | None:
    """The apps that a step has nothing to do for, as far as a survey found out and no other step has changed that since."""
    notes = _notes.read(SUBJECT, host)
    if not notes or module not in _settled.AFFECTED:
        return None
    since: set[str] = set()
    for note in _since(notes):
        if note.get("changed") in DEPENDS[module]:
            if note["apps"] is None:
                return None
            since |= set(note["apps"])
    for answer in notes[_last(notes)]["answers"]:
        found = answer["settled"]
        if answer["module"] == module and found:
            if digest(_settled.arguments(arguments, found["apps"])) == found["arguments"]:
                names = frozenset(found["apps"]) - since
                return Settled(names, _settled.result(found["result"], names))
    return None


def following(host: str, module: str) -> list[str]:
    """The modules of the steps after one that a survey found to have something to do, or that depend on such a step.

    :param module: that of the step
    """
    notes = _notes.read(SUBJECT, host)
    if not notes:
        return []
    busy, found = {module}, []
    for each in notes[_last(notes)]["answers"]:
        name = each["module"]
        if each["result"] is None or busy & DEPENDS.get(name, set()):
            busy.add(name)
            found.append(name)
    after = found[found.index(module) + 1 :] if module in found else found
    return [name for name in dict.fromkeys(after) if name.startswith("wsgi.stack.") and name != PACKAGES]


def idle(host: str) -> list[str]:
    """The roles that have nothing to do."""
    notes = _notes.read(SUBJECT, host)
    if not notes:
        return []
    valid = _valid(host)
    last = _last(notes)
    return [
        role for role in notes[last]["roles"] if all(each in valid for each in notes[last]["answers"] if each["role"] == role)
    ]


def digest(arguments: Mapping[str, Any]) -> str:
    """Stands for arguments, which have secrets."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()


def _last(notes: list[dict[str, Any]]) -> int:
    """Where the last survey is."""
    return max(at for at, note in enumerate(notes) if "answers" in note)


def _since(notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened since the last survey."""
    return notes[_last(notes) + 1 :] if notes else []


def _valid(host: str) -> list[dict[str, Any]]:
    notes = _notes.read(SUBJECT, host)
    if not notes:
        return []
    since = {note["changed"] for note in _since(notes) if "changed" in note}
    found: list[dict[str, Any]] = notes[_last(notes)]["answers"]
    return [each for each in found if each["result"] is not None and not since & DEPENDS.get(each["module"], set())]
