# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell in a sandbox is told, and what a sandbox of an app forbids."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox

SLOT = Path(__file__).resolve().parents[5] / "roles/uwsgi/templates/slot.service.j2"


MARK = "mark"


def shell(script, hold=True):
    """Run a script as a unit does; the other end of its input is closed at once, or when it has ended."""
    command = ["/bin/sh", "-c", _sandbox._SHELL, str(len(script))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.buffer.write(script)
        process.stdin.flush()
        if not hold:
            process.stdin.close()
        output = "".join(process.stdout.readline() for _line in range(4))
        code = process.wait(20)
    return code, _sandbox.marked(output, MARK)[1]


@pytest.mark.parametrize("value", ["it's", "$(id) `id` $HOME", "two\nlines\n\n", '\\ "', "ünï ☃ \x01\x88", "x" * 100_000])
def test_variables_and_files_arrive_as_they_are(value, tmp_path, monkeypatch):
    monkeypatch.setattr(_sandbox, "FILES", str(tmp_path))
    told = ["sh", "-c", 'printf %s "$VALUE" >"$PLACE"; pwd; umask']
    environment = {"VALUE": value, "PLACE": str(tmp_path / "told")}
    code, output = shell(_sandbox.script([told], environment, "/usr", {"secret": value}, MARK))
    assert (code, output) == (0, "/usr\n0022\n")
    assert (tmp_path / "told").read_text() == value
    assert (tmp_path / "secret").read_text() == value
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_commands_run_up_to_the_first_that_fails():
    script = _sandbox.script([["echo", "one"], ["sh", "-c", "exit 3"], ["echo", "two"]], {}, "/", {}, MARK)
    assert shell(script) == (3, "one\n")


def test_the_directory_that_is_closed_is_named(tmp_path):
    code, output = shell(_sandbox.script([["echo", "one"]], {}, str(tmp_path / "it's closed/below"), {}, MARK))
    assert code == 126
    assert re.match(rf"the user \w+ cannot enter {tmp_path}/it's closed \(.*\); run chmod o\+x ", output), output


def test_it_ends_when_nobody_waits_for_it_any_more():
    code, output = shell(_sandbox.script([["sh", "-c", "echo begun; exec >&-; sleep 60"]], {}, "/", {}, MARK), hold=False)
    assert code == -9
    assert output in ("", "begun\n")


def test_an_app_may_do_what_it_may_in_a_slot():
    lines = dict(line.split("=", 1) for line in SLOT.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    names = re.compile(r"Private|Protect|Restrict|SystemCall|Lock|RemoveIPC|NoNew|Capability")
    assert {name: value for name, value in lines.items() if names.match(name)} == _sandbox.RESTRICTIONS


def test_a_directory_may_be_replaced_by_an_empty_one():
    before = _sandbox.own_user("A build", "wsgi-build", "shop")
    after = _sandbox.with_empty(before, "/srv/wsgi/shop/shared")
    places = after.properties["TemporaryFileSystem"]
    assert places == f"{before.properties['TemporaryFileSystem']} /srv/wsgi/shop/shared:mode=1777"


def test_the_user_of_a_build_is_no_account_of_the_host():
    one, two = (_sandbox.own_user("Build", "wsgi-build", app).properties["User"] for app in ("shop", "a" * 31))
    assert one != two
    assert all(re.fullmatch("_[a-z0-9-]{1,30}", user) for user in (one, two))
    assert "User" not in _sandbox.own_user("Facts").properties


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ("mark\none\nmark 0\n", (True, "one\n", 0)),
        ("mark\none line without its endmark 3\n", (True, "one line without its end", 3)),
        ("mark\nmark 0\nsomething later", (True, "something later", 0)),
        ("mark\nkilled", (True, "killed", 1)),
        ("mark\nmark forged\n", (True, "", 1)),
        ("", (False, "", 1)),
        ("Failed to start transient service unit\n", (False, "Failed to start transient service unit\n", 1)),
    ],
)
def test_a_unit_says_that_it_has_begun_and_how_it_has_ended(output, wanted):
    assert _sandbox.marked(output, MARK) == wanted
