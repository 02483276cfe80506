# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The base of every action that is a step of a run."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.wsgi.stack.plugins.module_utils.survey import _settled
from ansible_collections.wsgi.stack.plugins.plugin_utils import _ahead, _answers, _archives, _preconditions, _progress, _run


class StepAction(_archives.ModuleAction):
    """Runs a module unless a survey found that it has nothing to do, and fails if it returned failures.

    With ``wsgi_defer_failures`` they are kept instead, and ``wsgi.stack.failures`` fails for them.
    """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        _preconditions.check_version()
        super().run(tmp, task_vars)
        _preconditions.check_apps(self._task.args)
        task_vars = task_vars or {}
        host = task_vars["inventory_hostname"]
        result = self.execute(task_vars)
        if result.get("failed"):
            return result
        failures = result.get("failures") or []
        deferred = boolean(self._templar.template(task_vars.get("wsgi_defer_failures", False)))
        _run.note(host, self._identity(task_vars), result, _names(self._task.args), failures if deferred else [])
        if failures and not deferred:
            result.update(failed=True, msg=message(failures))
        return result

    def execute(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the module returns, or would return."""
        host, arguments = task_vars["inventory_hostname"], self.arguments(task_vars)
        answer = _answers.answer(host, self.name, arguments)
        if answer is not None:
            return answer
        names = {*_names(arguments)}
        settled = _answers.settled(host, self.name, arguments) if names else None
        if settled is None:
            return self._executed(arguments, task_vars)
        if names <= settled.apps:
            return {"changed": False, **settled.result}
        result = self._executed(_settled.arguments(arguments, names - settled.apps), task_vars)
        return result if result.get("failed") else _settled.merged(result, settled.result)

    def _executed(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result = self.call(arguments, task_vars)
        if result.get("changed") or result.get("failed"):
            affected = None if result.get("failed") else _settled.AFFECTED.get(self.name)
            _answers.changed(task_vars["inventory_hostname"], self.name, affected(result) if affected else None)
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
        with _progress.lines(self._display.display, host, task, _names(arguments), self._ask), self.ahead(self.name, task_vars):
            return self._execute_module(module_name=self.name, module_args=arguments, task_vars=task_vars)

    def ahead(self, module: str, task_vars: dict[str, Any]) -> contextlib.AbstractContextManager[None]:
        """For as long as a module runs on the host: puts together those of the steps that follow, if a survey said which.

        Without those whose archive is kept.
        """

        def build(name: str) -> None:
            self._configure_module(name, {}, task_vars)

        named = _answers.following(task_vars["inventory_hostname"], self.name)
        following = [name for name in named if not _archives.is_kept(name)]
        if following:
            build(module)  # the first, for nothing is to wait for the others
        return _ahead.built(following, build)

    def _ask(self) -> str:
        """How far the module is on the host, from another session beside that in which it runs."""
        try:
            done = self._low_level_execute_command(_progress.COMMAND)
        except AnsibleError:
            return ""
        return "" if done["rc"] else str(done["stdout"])

    def _identity(self, task_vars: dict[str, Any]) -> str:
        """The task, and the item of its loop. A retry has the same."""
        item = task_vars.get(task_vars.get("ansible_loop_var", ""))
        return f"{self._task._uuid} {hashlib.sha256(repr(item).encode()).hexdigest()}"


def _names(arguments: Mapping[str, Any]) -> list[str]:
    """The names of the apps that a step is given; none if they are not as the module wants them, which it says itself."""
    apps = arguments.get("apps")
    if not isinstance(apps, list) or not all(isinstance(app, dict) and "name" in app for app in apps):
        return []
    return [str(app["name"]) for app in apps]


def message(failures: list[dict[str, Any]]) -> str:
    """The messages of failures, each once and on a line of its own."""
    return "\n".join(dict.fromkeys(failure["message"] for failure in failures))
