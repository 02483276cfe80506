# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the module ``uwsgi_plugin``: it installs what a build takes, as the action ``packages`` does."""

from __future__ import annotations

from typing import Any

from ansible_collections.wsgi.stack.plugins.plugin_utils import _step


class ActionModule(_step.StepAction):
    """A run that builds nothing is one execution of the module; packages are installed only if it asks for them."""

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result = super().call(arguments, task_vars)
        if "needed" not in result:
            return result
        needed = result["needed"]
        installed = self._install(needed, task_vars)
        if installed.get("failed"):
            # The builds go on, and fail in their own words, each for itself: other apps are none the worse for it.
            result = super().call({**arguments, "installed_build_dependencies": []}, task_vars)
            warning = f"{' '.join(needed)} could not be installed: {installed.get('msg')}"
            return {**result, "warnings": [*result.get("warnings", []), warning]}
        return {**super().call({**arguments, "installed_build_dependencies": needed}, task_vars), "changed": True}

    def _install(self, packages: list[str], task_vars: dict[str, Any]) -> dict[str, Any]:
        task = self._task.copy()
        task.args = {"name": packages}
        action = self._shared_loader_obj.action_loader.get(
            "wsgi.stack.packages",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return action.run(task_vars=task_vars)
