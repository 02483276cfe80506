# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Runs a module and prints its report, which no callback does."""

from __future__ import annotations

from typing import Any

from ansible import constants

from ansible_collections.wsgi.stack.plugins.module_utils.host import _display
from ansible_collections.wsgi.stack.plugins.plugin_utils import _archives, _preconditions

# Other callbacks write machine-readable output, which a report in between would break.
FOR_PEOPLE = ("default", "ansible.builtin.default")


def for_people() -> bool:
    """Whether the output of this run is for people, so that a report may be printed."""
    return constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") in FOR_PEOPLE


class ReportAction(_archives.ModuleAction):
    """The controller's half of a module that returns a ``report``.

    :ivar module: the full name of the module
    """

    module = ""

    def arguments(self) -> dict[str, Any]:
        """The arguments of the module."""
        return dict(self._task.args)

    def shown(self, host: str, result: dict[str, Any]) -> str:
        """What is printed of a result."""
        return "\n".join(_display.shown([f"{host}:", "", *result["report"], ""]))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        _preconditions.check_version()
        super().run(tmp, task_vars)
        _preconditions.check_apps(self._task.args)
        result = self._execute_module(module_name=self.module, module_args=self.arguments(), task_vars=task_vars)
        if "report" in result and for_people():
            self._display.display(self.shown((task_vars or {})["inventory_hostname"], result))
        return result
