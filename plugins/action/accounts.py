# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module ``accounts`` as a step, see ``_step``: the first one of a deployment that is given the apps."""

from __future__ import annotations

from typing import Any

from ansible_collections.wsgi.stack.plugins.plugin_utils import _preconditions, _step


class ActionModule(_step.StepAction):
    """See the module's documentation."""

    def execute(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module in a play that runs release commands once."""
        play = self._task.get_play()
        _preconditions.check_strategy(play.strategy, task_vars["ansible_play_hosts_all"], self._task.args["apps"])
        return super().execute(task_vars)
