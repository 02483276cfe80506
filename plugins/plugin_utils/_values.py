# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The values of templates, each found once. For Ansible to copy a hundred apps into an argument takes as long as a module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.template import Templar

NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
"""A word of a template that may be a variable's name: it is no attribute."""

VARIABLE = re.compile(r"\{\{ (\w+)(?:\.(\w+))? \}\}")
"""A template that is a variable, or an attribute of it, and no more."""


class Values:
    """The values of a task's templates.

    :param variables: that the task sees, not templated
    :param registered: the results of tasks, by variable. They may change: what was found with others is then found again
    """

    def __init__(self, templar: Templar, variables: dict[str, Any], registered: Mapping[str, Any]):
        self.templar = templar
        self.variables = variables
        self.registered = registered
        self._known: dict[str, tuple[Any, dict[str, Any]]] = {}

    def beside(self, variables: Mapping[str, Any]) -> Values:
        """Those of a task with variables of its own."""
        return Values(self.templar, {**self.variables, **variables}, self.registered)

    def all(self) -> dict[str, Any]:
        """All variables, not templated."""
        return {**self.variables, **self.registered}

    def holds(self, condition: Any) -> bool:
        """Whether a condition is met.

        :raises AnsibleError: it cannot be said
        """
        return bool(self._templar().evaluate_conditional(condition))

    def of(self, template: Any) -> Any:
        """The value of a template. Not for the caller to change.

        :raises AnsibleError: it has none
        """
        if not isinstance(template, str):
            return self._templar().template(template)
        variable = VARIABLE.fullmatch(template)
        if variable and self._is_template(variable[1]):
            value = self.of(self.variables[variable[1]])
            if not variable[2]:
                return value
            if isinstance(value, Mapping) and variable[2] in value:
                return value[variable[2]]
        seen = {name: self.registered[name] for name in self._names(template) if name in self.registered}
        value, before = self._known.get(template, (None, None))
        if before is None or before.keys() != seen.keys() or any(before[name] is not seen[name] for name in seen):
            value = self._templar().template(template)
            self._known[template] = value, seen
        return value

    def of_each(self, arguments: Any) -> Any:
        """The values of a task's arguments, without those that are omitted.

        :raises AnsibleError: one has no value
        """
        if not isinstance(arguments, dict):
            return self.of(arguments)
        whole = {name for name, value in arguments.items() if isinstance(value, str) and "omit" not in NAME.findall(value)}
        others = self.of({name: value for name, value in arguments.items() if name not in whole})
        return {**others, **{name: self.of(arguments[name]) for name in whole}}

    def _templar(self) -> Templar:
        return self.templar.copy_with_new_env(available_variables=self.all())

    def _names(self, template: str) -> set[str]:
        """The variables that a value depends on, and perhaps others."""
        found: set[str] = set()
        waiting = {*NAME.findall(template)}
        while waiting:
            found |= waiting
            named: Iterable[str] = filter(self._is_template, waiting)
            waiting = {name for each in named for name in NAME.findall(self.variables[each])} - found
        return found

    def _is_template(self, name: str) -> bool:
        value = self.variables.get(name)
        return name not in self.registered and isinstance(value, str) and "{{" in value
