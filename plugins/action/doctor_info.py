# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the module ``doctor_info``: it prints the report, which no callback does."""

from __future__ import annotations

import time
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _document
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display
from ansible_collections.wsgi.stack.plugins.plugin_utils import _preconditions

# Other callbacks write machine-readable output, which a report in between would break.
FOR_PEOPLE = ("default", "ansible.builtin.default")


class ActionModule(ActionBase):
    """See the module's documentation."""

    module = "wsgi.stack.doctor_info"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        _preconditions.check_version()
        super().run(tmp, task_vars)
        arguments = {"reference_time": time.time(), **self._task.args}
        result = self._execute_module(module_name=self.module, module_args=arguments, task_vars=task_vars)
        if "report" in result and constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") in FOR_PEOPLE:
            host = (task_vars or {})["inventory_hostname"]
            if arguments.get("format") == "json":
                self._display.display(_document.line(host, result))
            else:
                self._display.display("\n".join(_display.shown([f"{host}:", "", *result["report"], ""])))
        return result
