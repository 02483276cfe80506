# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which release a rollback restores, decided on the controller from the status of a host. All of it is pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import refuse_unknown, shown

STACK_KEYS = ("gevent", "idle", "bind", "server_options", "privileged_programs")
"""The keys of an app that not every stack has, or not with the same values."""


def target(found: Mapping[str, Any], release: Any = None) -> dict[str, Any]:
    """The release of a rollback: the given one; else the live one, if another is staged; else the previous one. Pure.

    :param found: the app's status, see ``status._status.entry``
    :param release: a number, also as text
    :returns: ``release``, its number, and ``stack``, the one that it last ran under
    :raises InventoryError: there is no such release
    """
    who, live = f"app {found['app']}", found["release"]
    there = {each["number"]: each for each in found["releases"]}
    numbers = ", ".join(map(str, there)) or "none"
    if release is not None and str(release) != "":
        if not re.fullmatch(r"[0-9]{1,9}", str(release)):
            raise InventoryError(f"{who}: release: {shown(release)} is no number of a release; this host has {numbers}.")
        number = int(release)
        if number not in there:
            raise InventoryError(f"{who}: release: {number} is not on this host; it has {numbers}.")
    elif live is None:
        staged = f"release {found['staged']} is staged, but " if found["staged"] else ""
        raise InventoryError(f"{who}: {staged}no release is live, so there is none to go back to; deploy with wsgi.stack.site.")
    elif found["staged"] is not None:
        number = live
    elif found["previous"] is None:
        others = ", ".join(str(each) for each in there if each != live)
        choice = f"choose one of {others} with -e release=NUMBER, or deploy" if others else "deploy"
        raise InventoryError(
            f"{who}: release {live} is live, and no earlier release on this host ever was; {choice} the version that you want."
        )
    else:
        number = found["previous"]
    stack = there.get(number, {}).get("stack") or found["stack"]
    return {"release": number, "stack": stack}


def restack(apps: Sequence[Mapping[str, Any]], app: str, stack: str | None = None, wanted: str = "uwsgi") -> list[dict[str, Any]]:
    """The list of apps, with one of them on the stack of the release that a rollback restores. Pure.

    Its settings for the server of another stack are dropped, since the release has the configuration that it was made with.

    :param apps: as a user writes them
    :param app: the name of the one
    :param stack: None to leave it as it is
    :param wanted: the default stack of the apps
    :raises InventoryError: there is no such app
    """
    states = {str(each.get("name")): each.get("state", "present") for each in apps}
    names = [name for name, state in states.items() if state == "present"]
    if not app:
        raise InventoryError(f"app: missing; add -e app=NAME ({', '.join(names)}).")
    refuse_unknown(str(app), names, states)
    changed = []
    for each in apps:
        changes = each.get("name") == app and stack not in (None, each.get("stack") or wanted)
        rest = {key: value for key, value in each.items() if not changes or key not in STACK_KEYS}
        changed.append({**rest, "stack": stack} if changes else rest)
    return changed
