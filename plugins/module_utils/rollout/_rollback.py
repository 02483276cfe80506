# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app goes back to, decided on the controller from what its host tells. All of it is pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import shown

OF_SERVERS = ("gevent", "idle", "bind", "server_options")
"""The keys of an app that not every stack has, or not with the same values."""


def target(found: Mapping[str, Any], release: Any = None) -> dict[str, Any]:
    """What an app goes back to: the release that is named; else the live one, if one is held; else the previous one. Pure.

    :param found: what ``status._status.entry`` tells of it
    :param release: a number, also as text
    :returns: ``release``, its number, and ``stack``, the one that it was made for
    :raises InventoryError: there is nothing to go back to
    """
    who, live = f"app {found['app']}", found["release"]
    there = {each["number"]: each for each in found["releases"]}
    numbers = ", ".join(map(str, there)) or "none"
    if release is not None and str(release) != "":
        if not re.fullmatch(r"[0-9]{1,9}", str(release)):
            raise InventoryError(f"{who}: release: found {shown(release)}, wanted a release's number ({numbers}).")
        number = int(release)
        if number not in there:
            raise InventoryError(f"{who}: release: found {number}, wanted one that is on this host ({numbers}).")
    elif live is None:
        instead = f"release {found['held']} is held, and nothing is live" if found["held"] else "nothing is live"
        raise InventoryError(f"{who}: {instead} that could be gone back to; deploy it with wsgi.stack.site.")
    elif found["held"] is not None:
        number = live
    elif found["previous"] is None:
        raise InventoryError(
            f"{who}: release {live} is live, and no earlier one that has been live is on this host;"
            f" name one of those that are ({numbers}) with -e release=NUMBER, or deploy what you want."
        )
    else:
        number = found["previous"]
    stack = there.get(number, {}).get("stack") or found["stack"]
    return {"release": number, "stack": stack}


def restack(apps: Sequence[Mapping[str, Any]], app: str, stack: str | None = None, wanted: str = "uwsgi") -> list[dict[str, Any]]:
    """A list of apps in which one has the stack that it is rolled back to. Pure.

    What the list says of another stack's server goes, since the release has what it was made with.

    :param apps: as a user writes them
    :param app: the name of the one
    :param stack: None to leave it as it is
    :param wanted: the stack of the apps that name none
    :raises InventoryError: there is no such app
    """
    states = {str(each.get("name")): each.get("state", "present") for each in apps}
    names = [name for name, state in states.items() if state == "present"]
    if not app:
        raise InventoryError(f"app: not given, and there is no default; name it with -e app=NAME ({', '.join(names)}).")
    if app not in names:
        near = difflib.get_close_matches(str(app), names, 1)
        fix = f"did you mean {near[0]}?" if near else f"the apps are {', '.join(names)}."
        why = "which shall be absent" if app in states else "which is not in wsgi_apps"
        raise InventoryError(f"app: found {shown(app)}, {why}; {fix}")
    changed = []
    for each in apps:
        moves = each.get("name") == app and stack not in (None, each.get("stack") or wanted)
        rest = {key: value for key, value in each.items() if not moves or key not in OF_SERVERS}
        changed.append({**rest, "stack": stack} if moves else rest)
    return changed
