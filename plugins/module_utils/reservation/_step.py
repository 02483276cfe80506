# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``reservation``."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Record
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _found
from ansible_collections.wsgi.stack.plugins.module_utils.reservation._claims import Foreign, claims


def reservation(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Refuse what another list on the host has, and record what this one has.

    :param wanted: the module's parameters
    :raises StackError: the first thing that another list has
    """
    settings = {
        name: value
        for name, value in wanted["settings"].items()
        if name != "certbot_ca_bundle" or any(app["tls"]["mode"] == "certbot" for app in wanted["apps"])
    }
    with contextlib.nullcontext() if check else _record.lock():
        there = _found.found(wanted["directory"], wanted["runtime_directory"])
        before = present(_record.load(), there)
        foreign = Foreign(before, wanted["list"], wanted["take_over"], MemoryFile("nginx").read().notes)
        foreign.refuse_settings(settings)
        foreign.refuse_http_ports(settings.get("nginx_http_ports", []))
        for app in wanted["apps"]:
            foreign.refuse_app(app)
        after = recorded(before, wanted["list"], wanted["apps"], wanted["only_apps"], settings, there)
        changed = vars(before) != vars(after)
        if changed and not check:
            _record.save(after)
    diff = {
        when: "".join(f"{app}\n" for app in _of(wanted["list"], found)) for when, found in (("before", before), ("after", after))
    }
    return {"changed": changed, "apps": _of(wanted["list"], after), "diff": diff}


def present(record: Record, there: Collection[str]) -> Record:
    """A record without the apps that were in no list, and are gone from the host. Pure.

    :param there: the names of the apps on the host
    """
    return replace(record, apps={app: entry for app, entry in record.apps.items() if entry["claims"] or app in there})


def recorded(
    before: Record, name: str, apps: Sequence[App], only: Sequence[str], settings: Mapping[str, Any], there: Collection[str]
) -> Record:
    """The record with the apps and settings of a list. Pure.

    An app that is not in its list any more stays one of the list for as long as it is on the host, and claims nothing.

    :param only: the apps that the run is about, none for all of the list
    :param there: the names of the apps on the host
    """
    mine = {app["name"]: {"list": name, "claims": claims(app)} for app in apps}
    others = {}
    for app, entry in before.apps.items():
        if entry["list"] != name or only:
            others[app] = entry
        elif app in there:
            others[app] = {"list": name, "claims": {}}
    lists = {**before.lists, name: dict(settings)}
    return Record({**others, **mine}, lists, {**before.settings, **settings})


def _of(name: str, record: Record) -> list[str]:
    return sorted(app for app in record.apps if record.owner(app) == name)


STEP = Step(
    {
        **_record.OPTIONS,
        "apps": {"type": "list", "elements": "dict", "required": True},
        "take_over": {"type": "list", "elements": "str", "default": []},
        "settings": {"type": "dict", "default": {}},
        "directory": {"type": "path", "default": _layout.DIRECTORY},
        "runtime_directory": {"type": "path", "default": _layout.RUNTIME_DIRECTORY},
    },
    reservation,
)
