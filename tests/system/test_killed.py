# SPDX-License-Identifier: GPL-3.0-or-later
"""A play that is killed leaves nothing that the next run does not fix."""

from __future__ import annotations

import pytest
from conftest import on

pytestmark = pytest.mark.long


@on(13)
def test_a_play_killed_at_any_task_heals_on_the_next_run(server, hello):
    def app(greeting):
        return [{**hello, "environment": {"GREETING": greeting}, "nginx_directives": [f"add_header X-Greeting {greeting};"]}]

    server.converge(app("first"))
    results = server.converge(app("second")).results
    # A kill at a task that stays on the controller, or is skipped, is one before the next task on the host.
    tasks = [
        place
        for place, result in enumerate(results, 1)
        if result["action"].startswith(("wsgi.stack.", "ansible.builtin.command"))
        and result["action"] not in ("wsgi.stack.failures", "wsgi.stack.summary")
        and result["outcome"] != "skipped"
    ]
    assert len(tasks) > 8
    killed = 0
    for task in tasks:
        # Each run begins with what the one before has left, and gets past the place where that was killed.
        wanted = f"killed-at-{task}"
        # Some at their start, some while the module works on the host.
        after = "0.4" if tasks.index(task) % 2 else "0"
        play = server.play(app(wanted), environment={"WITNESS_KILL": str(task), "WITNESS_KILL_AFTER": after})
        assert play.code <= 0, f"not healed before task {task}: {play.output}"
        killed += play.code < 0
        assert server.get("/").startswith("200 "), f"not served after a kill at task {task}"
    assert killed >= len(tasks) - 2, "the plays were not killed"
    server.converge(app("last"))
    assert server.get("/").startswith("200 last|")
    assert "X-Greeting: last" in server.sh("curl -sI http://127.0.0.1/")
    assert server.converge(app("last")).changed == []
