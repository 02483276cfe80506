# SPDX-License-Identifier: GPL-3.0-or-later
"""Release commands, run by a real shell, and what other hosts make of it."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.release import _commands
from ansible_collections.wsgi.stack.tests import sandbox


@pytest.fixture
def execute(tmp_path, monkeypatch):
    sandbox.replace(monkeypatch, tmp_path)
    runner = tmp_path / "run"
    runner.write_text(f'#!/bin/sh\nexport TOKEN=s3cret\ncd "{tmp_path}" && exec "$@"\n')
    where = _sandbox.Sandbox("a release")
    return lambda *commands: _commands.execute(commands, ["/bin/sh", str(runner)], where, _redact.redactor(["s3cret"]))


def test_commands_run_in_order_and_tell_what_they_printed(execute, tmp_path):
    first, second = execute('echo one >>log; echo "$TOKEN"; echo ünï >&2', "echo two >>log; printf '\\377'; cat")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    assert first["output"] == ["***", "ünï"]
    assert (first["command"], first["code"]) == ('echo one >>log; echo "$TOKEN"; echo ünï >&2', 0)
    assert 0 <= first["seconds"] < 60
    assert second["output"] == ["\N{REPLACEMENT CHARACTER}"]


def test_only_the_last_lines_are_kept(execute):
    (done,) = execute("seq 1000")
    assert done["output"] == [str(number) for number in range(801, 1001)]


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (
            "echo 'OperationalError: no such table s3cret'; echo bye; exit 3",
            "ended with exit code 3: OperationalError: no such table ***; fix",
        ),
        ("exit 1", "ended with exit code 1: it printed nothing; fix"),
        ("kill -9 $$", "was killed by signal 9: it printed nothing; fix"),
        ("no-such-program", "ended with exit code 127: /bin/sh: 1: no-such-program: not found; fix"),
    ],
)
def test_the_first_that_fails_is_the_last_that_is_run(execute, tmp_path, command, cause):
    with pytest.raises(StackError) as caught:
        execute("echo before", command, "touch after")
    assert not (tmp_path / "after").exists()
    assert caught.value.step == "release_commands"
    assert f"(2 of 3) {cause} that and run the play again, which starts again at the first command." in caught.value.cause
    assert caught.value.log.startswith("$ echo before\nbefore\n$ ")
    assert "s3cret" not in caught.value.cause + caught.value.log


def test_a_command_that_cannot_write_is_told_where_it_can(execute):
    with pytest.raises(StackError, match=r"open database file; the app can write only to \$WSGI_SHARED, .* and run the play"):
        execute("echo 'sqlite3.OperationalError: unable to open database file'; exit 1")


DONE = {"releases": {"shop": 4}, "failures": []}
FAILED = {
    "releases": {},
    "failures": [{"app": "shop", "step": "import", "message": "app shop: import: no module x.", "log": ["a", "b"]}],
}
LOST = {"unreachable": True, "msg": "no route to host"}


@pytest.mark.parametrize("results", [{"web1": DONE}, {"web1": LOST, "web2": DONE}, {"web1": FAILED, "web2": DONE}])
def test_one_host_that_ran_them_is_enough(results):
    assert _commands.check_elsewhere("shop", "web3", results) is None


@pytest.mark.parametrize(
    ("here", "results", "failure"),
    [
        ("web1", {"web1": FAILED}, ("import", "no module x.", "a\nb")),
        ("web2", {"web1": FAILED}, ("import", "on web1, which runs the release commands for all hosts: no module x.", "a\nb")),
        ("web2", {"web1": LOST}, ("release_commands", "they were not run on web1, which did not finish", "")),
        ("web2", {}, ("release_commands", "they were not run on any host", "")),
        (
            "web2",
            {"web1": {"releases": {"blog": 1}, "failures": []}},
            ("release_commands", "they were not run on any host", ""),
        ),
    ],
)
def test_without_them_no_host_makes_the_release(here, results, failure):
    with pytest.raises(StackError) as caught:
        _commands.check_elsewhere("shop", here, results)
    step, cause, log = failure
    assert (caught.value.step, caught.value.log) == (step, log)
    assert caught.value.cause.startswith(cause)
