# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what a run did to the apps of a host. It runs on the controller alone."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wsgi.stack.plugins.module_utils.host import _display
from ansible_collections.wsgi.stack.plugins.plugin_utils import _preconditions, _report, _run, _summary


class ActionModule(ActionBase):
    """See the module's documentation."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        options = {"apps": {"type": "list", "elements": "dict", "required": True}, "port": {"type": "int", "default": 80}}
        _validation, given = self.validate_argument_spec(options)
        _preconditions.check_apps(given)
        host = (task_vars or {})["inventory_hostname"]
        apps = _summary.entries(given["apps"], _run.report(host), host, given["port"])
        report = _display.shown([f"{host}:", "", *_summary.table(apps), ""]) if apps else []
        if report and _report.for_people():
            self._display.display("\n".join(report))
        return {"changed": False, "apps": apps}
