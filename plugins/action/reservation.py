# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module ``reservation`` as a step, see ``_step``."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.plugin_utils import _step


class ActionModule(_step.StepAction):
    """See the module's documentation."""
