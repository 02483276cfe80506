# SPDX-License-Identifier: GPL-3.0-or-later
"""Fails a host for every app whose step failed in this run. It runs on the controller alone."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wsgi.stack.plugins.plugin_utils import _refusal, _run, _step


class ActionModule(ActionBase):
    """See the module's documentation."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self.validate_argument_spec({})
        host = (task_vars or {})["inventory_hostname"]
        _refusal.hide_origin(self._task)
        failures = _run.report(host).failures
        if not failures:
            return {"changed": False, "apps": []}
        _run.forget_failures(host)
        names = list(dict.fromkeys(failure["app"] for failure in failures))
        return {"changed": False, "failed": True, "msg": _step.message(failures), "apps": names}
