# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the module ``run_command``: it prints what the command printed, as plain text."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.plugin_utils import _report


class ActionModule(_report.ReportAction):
    """See the module's documentation."""

    module = "wsgi.stack.run_command"
