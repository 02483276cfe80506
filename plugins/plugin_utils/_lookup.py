# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The base of the lookups that read what a user wrote in the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase, inventory_hostnames
from ansible.utils.vars import load_extra_vars

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _schema, _workers
from ansible_collections.wsgi.stack.plugins.plugin_utils import _fleet, _preconditions, _settings

WHERE = "https://github.com/wsgi-stack/wsgi.stack/blob/main/docs/reference.md#where-the-list-belongs"


class InventoryLookup(LookupBase):
    """Returns one value. A mistake in the inventory is an error of the task."""

    variables: Mapping[str, Any]

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        _preconditions.check_version()
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [self.find(terms, variables or {}, **kwargs)]
        except InventoryError as error:
            raise AnsibleError(str(error)) from None

    def find(self, terms: list[Any], variables: Mapping[str, Any], **kwargs: Any) -> Any:
        """What the lookup returns, for an action, which shows a mistake as it is.

        :raises InventoryError: a mistake in the inventory
        """
        self.variables = variables
        return self.value(terms, **kwargs)

    def value(self, terms: list[Any], **kwargs: Any) -> Any:
        """What the lookup returns."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """The shared settings."""
        loader: Any = self._loader  # a lookup that a task runs has one, too
        return _settings.read(self.variables, self._template, load_extra_vars(loader))

    def apps(self) -> Any:
        """The list ``wsgi_apps``, as the user wrote it.

        :raises InventoryError: there is none
        """
        if "wsgi_apps" not in self.variables:
            raise InventoryError(
                "wsgi_apps: not set; define the list in the inventory, or in group_vars in the inventory's directory, see"
                f" {WHERE}."
            )
        return self._template(self.variables["wsgi_apps"])

    def resolve(self, apps: Any) -> list[App]:
        """The apps with every key filled in, whether this host is the first one of those that have them, and whether the run is
        about them.

        :param apps: as a user writes them
        :raises InventoryError: a mistake in the list, or the run is about an app that is not in it
        """
        settings = self.settings()
        resolved = _settings.resolve(apps, settings)
        for name in settings["only_apps"]:
            _schema.refuse_unknown(name, [str(app["name"]) for app in apps])
        for app in resolved:
            app["selected"] = not settings["only_apps"] or app["name"] in settings["only_apps"]
        names = {app["name"] for app in resolved if _workers.any_for_first_host(app)}
        if names:
            earlier = _fleet.with_earlier_host(names, self._fleet(), self.variables["inventory_hostname"], self._names)
            for app in resolved:
                app["first_host"] = app["name"] not in earlier
        return resolved

    def _fleet(self) -> list[str]:
        """The hosts that the apps are for, whether or not this run is limited to some; those of the play if it is not said."""
        pattern, play = self._template(self.variables.get("wsgi_hosts", "wsgi")), list(self.variables["ansible_play_hosts_all"])
        if pattern == "wsgi" and pattern not in self.variables["groups"]:  # the roles in a user's own play
            return play
        lookup = inventory_hostnames.LookupModule(loader=self._loader, templar=self._templar)
        patterns = [pattern] if isinstance(pattern, str) else list(pattern)
        found: list[str] = lookup.run(patterns, variables=dict(self.variables))
        return found if self.variables["inventory_hostname"] in found else play

    def _names(self, host: str) -> set[str]:
        """The names of the apps that another host has. A list that is a variable of the play is that of all hosts in it."""
        found = self.variables["hostvars"][host].get("wsgi_apps")
        own = self.variables["hostvars"][self.variables["inventory_hostname"]].get("wsgi_apps")
        if found is None and own is None and host in self.variables["ansible_play_hosts_all"] and "wsgi_apps" in self.variables:
            found = self.apps()
        apps = found or []
        return {str(app.get("name")) for app in apps if isinstance(app, Mapping) and app.get("state", "present") == "present"}

    def _template(self, value: Any) -> Any:
        templar: Any = self._templar  # a lookup that a task runs has one
        return templar.template(value)
