# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the module ``doctor_info``: it tells the host what time it is, and prints the report."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _document
from ansible_collections.wsgi.stack.plugins.plugin_utils import _report


class ActionModule(_report.ReportAction):
    """See the module's documentation."""

    module = "wsgi.stack.doctor_info"

    def arguments(self) -> dict[str, Any]:
        return {"reference_time": time.time(), **self._task.args}

    def shown(self, host: str, result: dict[str, Any]) -> str:
        if self._task.args.get("format") == "json":
            return _document.line(host, result)
        return super().shown(host, result)
