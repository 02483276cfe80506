# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which list of apps each app on a host belongs to, and what a run may change: the apps of its own list, or some of them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, read, write
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked

PATH = "/var/lib/wsgi/lists.json"
"""The record of all lists. Only root can write it."""

DEFAULT = "default"
"""The list of apps of which no other list is recorded."""

OPTIONS: dict[str, Any] = {
    "list": {"type": "str", "default": DEFAULT},
    "only_apps": {"type": "list", "elements": "str", "default": []},
}
"""The options of the steps that leave alone what a run may not change."""


@dataclass(frozen=True)
class Record:
    """The lists of a host.

    :ivar apps: of each app on the host its ``list``, and what it ``claims`` there (see ``reservation._claims.claims``), which is
        nothing if it is not in its list any more. An app that was removed since stays until the record is written again
    :ivar lists: the settings of each list that concern the whole host, as its last run had them
    :ivar settings: those settings as the host has them now
    """

    apps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def owner(self, app: str) -> str:
        """The list that an app belongs to."""
        return str(self.apps[app]["list"]) if app in self.apps else DEFAULT

    def refuse_foreign(self, apps: Iterable[str], wanted: str) -> None:
        """Refuse apps that belong to another list.

        :param wanted: the list that they should belong to
        :raises StackError: the first of them
        """
        for app in apps:
            if app in self.apps and self.owner(app) != wanted:
                raise StackError(
                    "list",
                    f"app {app} belongs to the list {self.owner(app)} on this host, not to {wanted};"
                    " use that list's inventory, or set wsgi_list to its name.",
                )


@dataclass(frozen=True)
class Scope:
    """What a run may change.

    :ivar list: the list that it is about, None for all lists of the host
    :ivar only: the apps that it is about, none for all of the list
    :ivar record: the lists of the host
    """

    list: str | None = DEFAULT
    only: frozenset[str] = frozenset()
    record: Record = field(default_factory=Record)

    def has(self, app: str) -> bool:
        """Whether the run may change what belongs to an app, also to its preview, ``APP.preview``."""
        name = app.partition(".")[0]
        return self.list in (None, self.record.owner(name)) and (not self.only or name in self.only)


def scope(wanted: Mapping[str, Any], path: str = PATH) -> Scope:
    """The scope of a step.

    :param wanted: the parameters of a module with ``OPTIONS``
    """
    return Scope(wanted["list"], frozenset(wanted["only_apps"]), load(path))


def load(path: str = PATH) -> Record:
    """The record of this host, an empty one if there is none.

    :raises StackError: it cannot be understood, so whose the apps are is not known
    """
    found = read(path)
    if found is None:
        return Record()
    try:
        content = json.loads(found.content if isinstance(found, File) else "")
        return Record(content["apps"], content["lists"], content["settings"])
    except (ValueError, KeyError, TypeError):
        raise StackError("list", f"{path} is damaged, so whose apps these are is not known; restore it from a backup.") from None


def save(record: Record, path: str = PATH) -> None:
    """Write the record of this host."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    text = json.dumps({"version": 1, **vars(record)}, indent=1, sort_keys=True) + "\n"
    write(path, File(text, 0o600, str(os.geteuid()), str(os.getegid())), sync=True)


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Let no other run change the record."""
    with locked("lists"):
        yield
