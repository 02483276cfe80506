# SPDX-License-Identifier: GPL-3.0-or-later
"""What build commands find, run by a real shell."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _commands
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.tests import apps, sandbox


@pytest.fixture
def execute(tmp_path, monkeypatch):
    sandbox.replace(monkeypatch, tmp_path)
    program = tmp_path / "build/venv/bin/tool"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho of the build\n")
    program.chmod(0o755)

    def execute(*commands, environment=None, build_environment=None, hidden=()):
        app = apps.resolved(build_commands=list(commands))
        build = str(tmp_path / "build")
        where = _sandbox.Sandbox("a build")
        _commands.execute(app, build, build, environment or {}, build_environment or {}, where, hidden)

    return execute


def test_commands_run_in_the_build_with_its_programs_and_the_variables_of_the_app(execute, tmp_path):
    given = {"environment": {"A": "app", "B": "app"}, "build_environment": {"B": "build", "C": "build"}}
    execute('tool >out; echo "$A $B $C $HOME $WSGI_APP $WSGI_SHARED $VIRTUAL_ENV" >>out; cat', **given)
    tool, variables = (tmp_path / "build/out").read_text().splitlines()
    assert tool == "of the build"
    assert variables.split() == [
        *("app", "app", "build"),
        "/var/cache/wsgi-build/shop",
        "shop",
        "/srv/wsgi/shop/shared",
        str(tmp_path / "build/venv"),
    ]


def test_a_failure_shows_no_secret(execute):
    given = {"environment": {"A": "s3cret-app"}, "build_environment": {"B": "s3cret-build"}, "hidden": ["s3cret-file"]}
    with pytest.raises(StackError) as caught:
        execute('echo "Error: $A $B s3cret-file"; exit 3', **given)
    assert caught.value.step == "build_commands"
    assert "ended with exit code 3: Error: *** *** ***; fix that and run the play again." in caught.value.cause
    assert "s3cret" not in caught.value.cause + caught.value.log
