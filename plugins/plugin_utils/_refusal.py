# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""How a task fails with a message of one line: without the lines of the playbook around it, and once for all hosts."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.wsgi.stack.plugins.plugin_utils import _notes

UNEVEN = ("free", "host_pinned")
"""How the names of strategies end that let each host go on without the others."""


def hide_origin(task: Any) -> None:
    """Keep the task's place in the playbook out of its error, which shows it whenever the task has its source.

    The playbook is this collection's, and what has to be corrected is elsewhere.

    :param task: the task of an action, which is a copy for one host
    """
    task._ds = None


def refused(task: Any, message: str) -> dict[str, Any]:
    """The result of a task that refuses to go on. The first host says it, and the others skip the task.

    :param task: one with ``any_errors_fatal``; otherwise every host fails, since each would go on
    :param message: for the user
    """
    hide_origin(task)
    ends_all = task.any_errors_fatal and not task.get_play().strategy.endswith(UNEVEN)
    name = hashlib.sha256(f"{task._uuid} {message}".encode()).hexdigest()
    if ends_all and not _notes.claim("refusal", name):
        return {"changed": False, "skipped": True, "skip_reason": "another host was refused for the same reason"}
    return {"changed": False, "failed": True, "msg": message}
