# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the survey of a host found, for the steps that it found to have nothing to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

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


def keep(host: str, answers: Iterable[Mapping[str, Any]], roles: Iterable[str]) -> None:
    """Keep what a survey found.

    :param answers: ``role``, ``module``, ``arguments`` and ``result`` of each step that was asked; the result is None if the step
        has something to do
    :param roles: that were asked about
    """
    kept = [
        {**{key: answer[key] for key in ("role", "module", "result")}, "arguments": digest(answer["arguments"])}
        for answer in answers
    ]
    _notes.add(SUBJECT, host, {"answers": kept, "roles": list(roles)})


def changed(host: str, module: str) -> None:
    """A step has changed something on the host, or may have."""
    if _notes.read(SUBJECT, host):
        _notes.add(SUBJECT, host, {"changed": module})


def answer(host: str, module: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a step would return, if that is known and it has nothing to do."""
    wanted = digest(arguments) if _notes.read(SUBJECT, host) else ""
    for each in _valid(host):
        if each["module"] == module and each["arguments"] == wanted:
            return dict(each["result"])
    return None


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


def _valid(host: str) -> list[dict[str, Any]]:
    notes = _notes.read(SUBJECT, host)
    if not notes:
        return []
    last = _last(notes)
    since = {note["changed"] for note in notes[last + 1 :]}
    found: list[dict[str, Any]] = notes[last]["answers"]
    return [each for each in found if each["result"] is not None and not since & DEPENDS.get(each["module"], set())]
