# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the module ``survey``: it reads the roles, and keeps what the host answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.wsgi.stack.plugins.module_utils.host import _display
from ansible_collections.wsgi.stack.plugins.module_utils.survey import _packed, _references, _settled
from ansible_collections.wsgi.stack.plugins.plugin_utils import (
    _answers,
    _archives,
    _imports,
    _preconditions,
    _report,
    _role_tasks,
    _run,
    _step,
    _tags,
)

_imports.import_all()  # here, since a play that has a survey begins with it


class ActionModule(_archives.ModuleAction):
    """See the module's documentation."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        _preconditions.check_version()
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, given = self.validate_argument_spec({"roles": {"type": "list", "elements": "str", "required": True}})
        reader = _role_tasks.Roles(self._loader, self._templar, variables)
        steps = [self._asked(task) for role in given["roles"] for task in reader.tasks(role)]
        for step in steps:
            if step["module"] == "wsgi.stack.accounts":  # before any host is touched
                _preconditions.check_strategy(
                    self._task.get_play().strategy, variables["ansible_play_hosts_all"], step["arguments"]["apps"]
                )
        asked = [step for step in steps if step["module"]]
        result = self._execute_module(
            module_name="wsgi.stack.survey",
            module_args={"roles": given["roles"], "steps": _packed.pack(asked)},
            task_vars=task_vars,
        )
        if result.get("failed"):
            return result
        host = variables["inventory_hostname"]
        changes = result.get("changes", {})
        if self._task.diff and changes and _report.for_people():
            shown = [f"{host}, app {name}: {line}" for name, lines in changes.items() for line in lines]
            self._display.display("\n".join(["", *_display.shown(shown), ""]))
        _run.note_live(host, result["live"])
        answers = self._answered(host, steps, dict(zip(map(id, asked), result.pop("answers"))))
        missing = self._missing_packages(answers, variables)
        needed = _answers.Needed(result.pop("sources"), missing, result.pop("package_lists"))
        _answers.keep(host, answers, given["roles"], needed)
        return {**result, "idle": _answers.idle(host)}

    def _asked(self, task: _role_tasks.RoleTask) -> dict[str, Any]:
        """A task as the host is asked about it; without a module if there is nothing to ask."""
        step = {"role": task.role, "module": task.module, "register": task.register, "arguments": dict(task.arguments)}
        if not task.module.startswith("wsgi.stack."):
            return step
        copy = self._task.copy()
        copy.args = task.arguments
        action = self._shared_loader_obj.action_loader.get(
            task.module,
            task=copy,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar.copy_with_new_env(available_variables=task.variables),
            shared_loader_obj=self._shared_loader_obj,
        )
        if not isinstance(action, _step.StepAction):
            return {**step, "module": ""}
        try:
            return {**step, "arguments": action.arguments(task.variables)}
        except AnsibleError:  # the step itself will fail, and tell
            return {**step, "module": ""}

    def _missing_packages(self, answers: list[dict[str, Any]], variables: Mapping[str, Any]) -> list[str]:
        """The packages of all steps, for one run of apt; none if the tags leave some of these steps out."""
        chosen = _tags.selected(*_tags.of_run(variables), self._task.tags)
        wanted = [answer for answer in answers if answer["module"] == "wsgi.stack.packages" and answer["result"] is None]
        return [name for answer in wanted if chosen == {*_tags.NEEDS} for name in answer["arguments"]["name"]]

    def _answered(self, host: str, steps: list[dict[str, Any]], given: Mapping[int, Any]) -> list[dict[str, Any]]:
        """The steps with their results. What those that have nothing to do report of the apps is noted.

        :param given: what the host answered, by the identity of a step
        """
        registered: dict[str, Any] = {}
        answers = []
        for step in steps:
            answer = {**step, **given.get(id(step), {"result": None})}
            names = [app["name"] for app in step["arguments"].get("apps") or []]
            if answer["result"] is not None:
                answer["arguments"] = _references.resolve(step["arguments"], registered)
                registered[step["register"]] = answer["result"]
                _run.note(host, f"survey {step['role']} {step['module']} {step['register']}", answer["result"], names, [])
                if step["module"] in _settled.AFFECTED:
                    answer["settled"] = {"apps": names, "result": _settled.result(answer["result"], names)}
            if "settled" in answer:
                settled = answer["settled"]
                arguments = _settled.arguments(step["arguments"], settled["apps"])
                settled["arguments"] = _references.resolve(arguments, registered)
                registered.setdefault(step["register"], settled["result"])
            answers.append(answer)
        return answers
