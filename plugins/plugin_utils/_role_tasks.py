# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The tasks of this collection's roles, with the arguments that they would have if no earlier one changed anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _schema
from ansible_collections.wsgi.stack.plugins.module_utils.survey import _references
from ansible_collections.wsgi.stack.plugins.plugin_utils import _values

ROLES = Path(__file__).resolve().parents[2] / "roles"

KEYWORDS = {"name", "vars", "when", "register", "loop", "block"}


class RoleTask(NamedTuple):
    """A task of a role.

    :ivar module: the full name; "" if the task is one that cannot be asked, such as one with an unknown keyword
    :ivar register: the name of the variable for its result, or ""
    :ivar variables: those of the task, for templates
    """

    role: str
    module: str
    register: str
    arguments: dict[str, Any]
    variables: dict[str, Any]


class Roles:
    """Reads roles as Ansible would, with the variables of a task.

    :param variables: of the host
    """

    def __init__(self, loader: DataLoader, templar: Templar, variables: Mapping[str, Any]):
        self.loader = loader
        self.templar = templar
        self.variables = dict(variables)
        self.registered: dict[str, Any] = {}

    def tasks(self, role: str) -> Iterator[RoleTask]:
        """The tasks that would run, in their order.

        :param role: its short name, or ``role/file`` for a file of tasks other than ``main``
        :raises AnsibleError: there is none
        """
        name, _slash, tasks_from = role.partition("/")
        file = ROLES / name / "tasks" / f"{tasks_from or 'main'}.yml"
        if not re.fullmatch("[a-z_]+(/[a-z_]+)?", role) or not file.is_file():
            known = ", ".join(sorted(path.name for path in ROLES.iterdir()))
            raise AnsibleError(f"roles: {_schema.shown(role)} is no role of wsgi.stack; use {known}, or ROLE/FILE.")
        defaults, own = (self._read(ROLES / name / kind / "main.yml") or {} for kind in ("defaults", "vars"))
        values = _values.Values(self.templar, {**defaults, **self.variables, **own}, self.registered)
        for task in self._read(file):
            yield from self._task(role, task, values)

    def _read(self, path: Path) -> Any:
        return self.loader.load_from_file(os.fspath(path), trusted_as_template=True)

    def _task(self, role: str, task: Mapping[str, Any], values: _values.Values) -> Iterator[RoleTask]:
        module = next((key for key in task if key not in KEYWORDS and "." in key), "")
        register = str(task.get("register", ""))
        values = values.beside(task["vars"]) if "vars" in task else values
        try:
            if not all(values.holds(each) for each in _listed(task.get("when", []))):
                if register:  # or what an earlier play registered would be taken for its result
                    self.registered[register] = {"changed": False, "skipped": True}
                return
            if "loop" in task and not values.of(task["loop"]):
                return
            known = "loop" not in task and set(task) <= KEYWORDS | {module}
            arguments = values.of_each(task[module]) if module and known else {}
        except (AnsibleError, RecursionError):
            yield RoleTask(role, "", register, {}, values.all())
            if register:  # what it returns is not known, whatever else has that name, so nobody can say what takes it
                self.registered[register] = {}
            return
        if "block" in task:
            for each in task["block"]:
                yield from self._task(role, each, values)
            return
        if module == "wsgi.stack.failures":
            return
        if module == "wsgi.stack.config_tree":
            templates = ROLES / role.partition("/")[0] / "templates"
            arguments = {**arguments, "files": [_found(file, templates) for file in arguments.get("files", [])]}
        yield RoleTask(role, module if known else "", register, arguments, values.all())
        if register:
            self.registered[register] = predicted(module, register, arguments)


def _found(file: Mapping[str, Any], templates: Path) -> dict[str, Any]:
    return {**file, "src": os.fspath(templates / file["src"])} if file.get("src") else dict(file)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def predicted(module: str, register: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a task that has nothing to do, as far as other tasks use it. Pure."""
    names = [app["name"] for app in arguments.get("apps") or []]
    results: dict[str, dict[str, Any]] = {
        "wsgi.stack.accounts": {"apps": names},
        "wsgi.stack.build": {"builds": {name: _references.reference(register, "builds", name) for name in names}},
        "wsgi.stack.release": {"releases": {name: _references.reference(register, "releases", name) for name in names}},
        "wsgi.stack.site_certificates": {"outdated": [], "directives": _references.reference(register, "directives")},
        "wsgi.stack.retire": {"unused": []},
    }
    return {"changed": False, "failures": [], **results.get(module, {})}
