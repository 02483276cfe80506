# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The base of the lookups that read what a user wrote in the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.plugin_utils import _preconditions, _settings


class InventoryLookup(LookupBase):
    """Returns one value. A mistake in the inventory is an error of the task."""

    variables: Mapping[str, Any]

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        _preconditions.check_version()
        self.set_options(var_options=variables, direct=kwargs)
        self.variables = variables or {}
        try:
            return [self.value(terms, **kwargs)]
        except InventoryError as error:
            raise AnsibleError(str(error)) from None

    def value(self, terms: list[Any], **kwargs: Any) -> Any:
        """What the lookup returns."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """The shared settings."""
        return _settings.read(self.variables, self._template)

    def apps(self) -> Any:
        """The list ``wsgi_apps``, as the user wrote it.

        :raises InventoryError: there is none
        """
        if "wsgi_apps" not in self.variables:
            raise InventoryError("wsgi_apps is not set; set it in the inventory.")
        return self._template(self.variables["wsgi_apps"])

    def _template(self, value: Any) -> Any:
        templar: Any = self._templar  # a lookup that a task runs has one
        return templar.template(value)
