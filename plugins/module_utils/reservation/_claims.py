# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What an app claims for itself on a host, and what of it another list's app has already. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Record

DIRECTORIES = ("wsgi_directory", "wsgi_runtime_directory")
"""The settings that no list can change while another one is on the host: its apps are there, and the units of all name it."""


def claims(app: App) -> dict[str, Any]:
    """What no other app on a host can have, and the ``stack``, whose files the host needs.

    :returns: ``domains``, with "" for every name that no other app has; ``tls``, the ``port`` and ``profile``, or None; the
        ports ``bind`` and ``preview_port``, or None; ``stack``
    """
    tls = app["tls"]
    return {
        "domains": app["domains"] or [""],
        "tls": None if tls["mode"] == "none" else {"port": tls["port"], "profile": tls["profile"]},
        "bind": int(app["bind"].rpartition(":")[2]) if app["bind"] else None,
        "preview_port": app["preview_port"],
        "stack": app["stack"],
    }


class Foreign:
    """What the apps of the other lists on a host have.

    :param record: the lists of the host
    :param wanted: the list that asks
    :param taken: the apps that this list takes over
    :param live: what nginx serves for each app, see ``nginx._files.SERVED``
    """

    def __init__(self, record: Record, wanted: str, taken: Sequence[str], live: Mapping[str, Mapping[str, Any]]):
        self.record = record
        self.list = wanted
        self.names = sorted(name for name in record.apps if record.owner(name) != wanted and name not in taken)
        self.domains: dict[str, str] = {}
        self.ports: dict[int, tuple[str, str]] = {}
        self.tls: dict[int, tuple[str, str, bool]] = {}
        for name in self.names:
            claimed = record.apps[name]["claims"]
            for domain in [*claimed.get("domains", []), *((live[name]["domains"] or [""]) if name in live else [])]:
                self.domains.setdefault(domain, name)
            for key in ("bind", "preview_port"):
                if claimed.get(key):
                    self.ports.setdefault(claimed[key], (name, key))
            if claimed.get("tls"):
                nameless = self.tls.get(claimed["tls"]["port"], (name, "", False))[2] or "" in claimed["domains"]
                self.tls[claimed["tls"]["port"]] = (name, claimed["tls"]["profile"], nameless)

    def whose(self, app: str) -> str:
        """An app of another list, for a message."""
        return f"app {app} of the list {self.record.owner(app)} on this host"

    def refuse_app(self, app: App) -> None:
        """Refuse an app that needs what another list's app has.

        :raises StackError: the first thing
        """
        name, mine = app["name"], claims(app)
        if name in self.names:
            raise _refusal(
                name,
                f"name: {name} is already {self.whose(name)}; choose another name, or move the app to the list {self.list} with"
                f" -e wsgi_take_over={name}.",
            )
        for domain in mine["domains"]:
            if domain in self.domains:
                what = f"{domain} is" if domain else "requests for all other names are"
                raise _refusal(
                    name,
                    f"domains: {what} already served by {self.whose(self.domains[domain])}; choose"
                    f" {'other domains' if domain else 'domains'}, or put both apps in one list.",
                )
        for key, port in _ports(mine):
            if port in self.ports:
                other, theirs = self.ports[port]
                raise _refusal(name, f"{key}: port {port} is already {theirs} of {self.whose(other)}; choose another one.")
            if port in self.tls and key != "tls.port":
                raise _refusal(
                    name, f"{key}: port {port} is already tls.port of {self.whose(self.tls[port][0])}; choose another one."
                )
        if mine["tls"] and mine["tls"]["port"] in self.tls:
            self._refuse_tls(name, mine)

    def _refuse_tls(self, name: str, mine: Mapping[str, Any]) -> None:
        port, profile = mine["tls"]["port"], mine["tls"]["profile"]
        other, theirs, nameless = self.tls[port]
        if profile != theirs:
            raise _refusal(
                name,
                f"tls.profile: {profile} differs from the {theirs} of {self.whose(other)} on the same port {port}; set the same"
                " for both, or choose another tls.port.",
            )
        if nameless or "" in mine["domains"]:
            raise _refusal(
                name,
                f"tls.port: {port} is already tls.port of {self.whose(other)}, and an app without domains needs a port for TLS"
                " that no other list has; give the app without domains some, or choose another tls.port.",
            )

    def refuse_http_ports(self, ports: Sequence[int]) -> None:
        """Refuse a port for HTTP that another list's app has for itself.

        :raises StackError: the first port
        """
        for port in ports:
            if port in self.ports or port in self.tls:
                other, theirs = self.ports.get(port) or (self.tls[port][0], "tls.port")
                raise StackError(
                    "list", f"nginx_http_ports: {port} is already {theirs} of {self.whose(other)}; choose another one."
                )

    def refuse_settings(self, settings: Mapping[str, Any]) -> None:
        """Refuse a setting of the whole host that is not as another list set it.

        Who changes such a setting in one list changes it for the host, and the other lists have to follow. A list that has it as
        before did not change it.

        :param settings: by the names of their variables
        :raises StackError: the first setting
        """
        own = self.record.lists.get(self.list, {})
        others = {owner: self.record.lists.get(owner, {}) for owner in sorted(map(self.record.owner, self.names))}
        for name, value in settings.items():
            differing = [owner for owner, theirs in others.items() if theirs.get(name, value) != value]
            changed = own.get(name, value) != value or self.record.settings.get(name) == value
            if differing and (name in DIRECTORIES or not changed):
                theirs = others[differing[0]][name]
                raise StackError(
                    "list",
                    f"{name}: {_shown(value)} differs from {_shown(theirs)}, which the list {differing[0]} has on this host, and"
                    " all lists of a host share it; set the same.",
                )


def _ports(mine: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key in ("bind", "preview_port"):
        if mine[key]:
            yield key, mine[key]
    if mine["tls"]:
        yield "tls.port", mine["tls"]["port"]


def _refusal(app: str, cause: str) -> StackError:
    return StackError("list", f"app {app}: {cause}")


def _shown(value: Any) -> str:
    return str(value) if value not in (None, "", []) else "none"
