# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses what is wrong before any host is touched, in one sentence. It runs on the controller alone."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.plugin_utils import _imports, _preconditions, _refusal

_imports.import_all()  # here, since the playbooks begin with it


class ActionModule(ActionBase):
    """See the module's documentation."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _validation, wanted = self.validate_argument_spec(
            {
                "app": {"type": "str"},
                "check_apps": {"type": "bool", "default": True},
                "problems": {"type": "list", "elements": "str", "default": []},
            }
        )
        problem = _preconditions.version_problem() or self._of_apps(wanted, task_vars or {})
        problem = problem or next(filter(None, wanted["problems"]), "")
        return _refusal.refused(self._task, problem) if problem else {"changed": False}

    def _of_apps(self, wanted: dict[str, Any], variables: dict[str, Any]) -> str:
        if not wanted["check_apps"]:
            return ""
        try:
            apps = self._find("apps", [], variables)
            if wanted["app"] is not None:
                self._find("rollback", [wanted["app"]], variables)
        except InventoryError as error:
            return str(error)
        except AnsibleError:  # in a template of the inventory, whose place is shown
            _refusal.hide_origin(self._task)
            raise
        return _preconditions.strategy_problem(self._task.get_play().strategy, variables["ansible_play_hosts_all"], apps)

    def _find(self, name: str, terms: list[str], variables: dict[str, Any]) -> Any:
        lookup = self._shared_loader_obj.lookup_loader.get(f"wsgi.stack.{name}", loader=self._loader, templar=self._templar)
        return lookup.find(terms, variables)
