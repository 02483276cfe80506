# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes each task result of a run to a file, keeps what Ansible builds, and kills the run at a given task when it is told to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: witness
type: aggregate
short_description: Note task results for the tests
description:
  - Appends each result to the file named by E(WITNESS_FILE), as a line of JSON.
  - The modules that Ansible has put together to send them are kept in E(WITNESS_MODULES), a directory, for runs to come.
  - With E(WITNESS_KILL), a number, the run is killed E(WITNESS_KILL_AFTER) seconds after that task began, counted from 1.
requirements:
  - Enabled with E(ANSIBLE_CALLBACKS_ENABLED).
"""

import json
import os
import signal
import threading

from ansible import constants
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """See the documentation above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "witness"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.tasks = 0
        self.kill_at = int(os.environ.get("WITNESS_KILL", "0"))
        os.symlink(os.environ["WITNESS_MODULES"], os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.tasks += 1
        if self.tasks == self.kill_at:
            threading.Timer(float(os.environ["WITNESS_KILL_AFTER"]), os.killpg, [os.getpgrp(), signal.SIGKILL]).start()

    def _note(self, outcome, result):
        with open(os.environ["WITNESS_FILE"], "a", encoding="utf-8") as stream:
            found = result._result
            note = {
                "task": result._task.get_name(),
                "action": result._task.action,
                "outcome": outcome,
                "changed": bool(found.get("changed")),
                "message": found.get("msg"),
                "result": {key: found[key] for key in ("failures", "steps", "releases", "commands", "sites") if key in found},
            }
            stream.write(json.dumps(note, default=str) + "\n")

    def v2_runner_on_ok(self, result):
        self._note("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._note("failed", result)

    def v2_runner_on_skipped(self, result):
        self._note("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self._note("unreachable", result)
