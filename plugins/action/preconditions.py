# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses what is wrong before any host is touched, in one sentence. It runs on the controller alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.plugin_utils import (
    _answers,
    _imports,
    _preconditions,
    _refusal,
    _role_variables,
    _tags,
)

_imports.import_all()  # here, since the playbooks begin with it

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"


def _alone() -> bool:
    """Whether the run is of a playbook of this collection and nothing else, so that no other play has the tags."""
    named = [str(name) for name in context.CLIARGS.get("args") or ()]
    return all(name.startswith("wsgi.stack.") or Path(os.path.realpath(name)).parent == PLAYBOOKS for name in named)


class ActionModule(ActionBase):
    """See the module's documentation."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _validation, wanted = self.validate_argument_spec(
            {
                "app": {"type": "str"},
                "check_apps": {"type": "bool", "default": True},
                "app_roles": {"type": "list", "elements": "str"},
                "problems": {"type": "list", "elements": "str", "default": []},
            }
        )
        variables = task_vars or {}
        problem = _preconditions.version_problem()
        steps = sorted(self._chosen(variables))
        if "always" in self._task.tags:  # in site
            problem = problem or (_tags.unknown(_tags.of_run(variables)[0], self._task.tags) if _alone() else "")
            if not problem and not steps:
                return {"changed": False, "steps": steps, "skipped": True, "skip_reason": "the tags are those of other plays"}
        problem = problem or self._of_apps(wanted, variables) or self._of_tags(wanted["app_roles"], variables)
        problem = problem or next(filter(None, wanted["problems"]), "")
        return _refusal.refused(self._task, problem) if problem else {"changed": False, "steps": steps}

    def _chosen(self, variables: dict[str, Any]) -> set[str]:
        return _tags.selected(*_tags.of_run(variables), self._task.tags)

    def _of_tags(self, app_roles: list[str] | None, variables: dict[str, Any]) -> str:
        if app_roles is None:
            return ""
        return _tags.left_out(self._chosen(variables), _answers.idle(variables["inventory_hostname"]), app_roles)

    def _of_apps(self, wanted: dict[str, Any], variables: dict[str, Any]) -> str:
        try:
            if not wanted["check_apps"]:
                self._find("settings", [], variables)
                return ""
            apps = self._find("apps", [], variables)
            if wanted["app"] is not None:
                self._find("rollback", [wanted["app"]], variables)
        except InventoryError as error:
            return str(error)
        except AnsibleError:  # in a template of the inventory, whose place is shown
            _refusal.hide_origin(self._task)
            raise
        return _preconditions.strategy_problem(
            self._task.get_play().strategy, variables["ansible_play_hosts_all"], apps
        ) or _role_variables.problem(self._loader, variables, self._templar.template)

    def _find(self, name: str, terms: list[str], variables: dict[str, Any]) -> Any:
        lookup = self._shared_loader_obj.lookup_loader.get(f"wsgi.stack.{name}", loader=self._loader, templar=self._templar)
        return lookup.find(terms, variables)
