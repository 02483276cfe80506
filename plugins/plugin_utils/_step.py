# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The base of every action that is a step of a run."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.wsgi.stack.plugins.plugin_utils import _answers, _preconditions, _progress, _run


class StepAction(ActionBase):
    """Runs a module unless a survey found that it has nothing to do, and fails if it returned failures.

    With ``wsgi_defer_failures`` they are kept instead, and ``wsgi.stack.failures`` fails for them.
    """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        _preconditions.check_version()
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        host = task_vars["inventory_hostname"]
        result = self.execute(task_vars)
        if result.get("failed"):
            return result
        failures = result.get("failures") or []
        deferred = boolean(self._templar.template(task_vars.get("wsgi_defer_failures", False)))
        _run.note(host, self._identity(task_vars), result, self._apps(), failures if deferred else [])
        if failures and not deferred:
            result.update(failed=True, msg=message(failures))
        return result

    def execute(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the module returns, or would return."""
        host, arguments = task_vars["inventory_hostname"], self.arguments(task_vars)
        result = _answers.answer(host, self.name, arguments)
        if result is None:
            result = self.call(arguments, task_vars)
            if result.get("changed") or result.get("failed"):
                _answers.changed(host, self.name)
        return result

    @property
    def name(self) -> str:
        """The full name of the module."""
        return f"wsgi.stack.{type(self).__module__.rpartition('.')[2]}"

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments. A subclass adds what the controller knows."""
        return dict(self._task.args)

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module. A subclass does here what the controller has to do besides."""
        host, task = task_vars["inventory_hostname"], self._task.name or self.name
        with _progress.lines(self._display.display, host, task, self._apps(), self._ask):
            return self._execute_module(module_name=self.name, module_args=arguments, task_vars=task_vars)

    def _ask(self) -> str:
        """How far the module is on the host, from another session beside that in which it runs."""
        try:
            done = self._low_level_execute_command(_progress.COMMAND)
        except AnsibleError:
            return ""
        return "" if done["rc"] else str(done["stdout"])

    def _apps(self) -> list[str]:
        apps = self._task.args.get("apps")
        return [str(app["name"]) for app in apps if isinstance(app, dict) and "name" in app] if isinstance(apps, list) else []

    def _identity(self, task_vars: dict[str, Any]) -> str:
        """The task, and the item of its loop. A retry has the same."""
        item = task_vars.get(task_vars.get("ansible_loop_var", ""))
        return f"{self._task._uuid} {hashlib.sha256(repr(item).encode()).hexdigest()}"


def message(failures: list[dict[str, Any]]) -> str:
    """The messages of failures, each once and on a line of its own."""
    return "\n".join(dict.fromkeys(failure["message"] for failure in failures))
