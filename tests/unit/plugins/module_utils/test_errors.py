# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line, for_each_app


@pytest.mark.parametrize(
    ("error", "step", "cause"),
    [
        (StackError("health", "it is ill."), "health", "it is ill."),
        (
            FileNotFoundError(2, "No such file or directory", "/x"),
            "host",
            "No such file or directory: /x; fix that and run again.",
        ),
        (TimeoutError("timed out"), "host", "timed out; fix that and run again."),
        (TimeoutError(), "host", "TimeoutError; fix that and run again."),
    ],
)
def test_an_apps_failure_is_no_other_apps(error, step, cause):
    def work(app):
        if app["name"] == "bad":
            raise error
        return 1

    results, (failure,) = for_each_app([{"name": name} for name in ("a", "bad", "b")], work, 2)
    assert results == {"a": 1, "b": 1}
    assert (failure["app"], failure["step"], failure["message"]) == ("bad", step, f"app bad: {step}: {cause}")
    assert ("raise error" in "".join(failure["log"])) == (step == "host")


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (
            "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'flask'\nunable to load app 0\n",
            "ModuleNotFoundError: No module named 'flask'",
        ),
        (
            "*** Starting uWSGI ***\nbind(): Address already in use [core/socket.c line 227]\nVACUUM: /run/blue.sock removed.\n",
            "bind(): Address already in use [core/socket.c line 227]",
        ),
        ('unable to find "app" callable in file x.py\nunable to load app 0 (callable not found)\n*** no app loaded ***\n', None),
        ("bind(): Permission denied\n\n", "bind(): Permission denied"),
        ("one\ntwo\n[pid: 7|app: 0] GET / => failed\n", "two"),
        ("", ""),
    ],
)
def test_the_decisive_line_of_a_log_is_the_first_cause(log, line):
    assert decisive_line(log) == (log.splitlines()[0] if line is None else line)
