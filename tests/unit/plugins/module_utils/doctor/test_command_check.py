# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _command_check
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence


@pytest.fixture
def environment(tmp_path):
    """A virtual environment with a program."""
    (tmp_path / "shop/.venv/bin").mkdir(parents=True)
    (tmp_path / "shop/.venv/pyvenv.cfg").write_text("version = 3.11.2\n")
    program = tmp_path / "shop/.venv/bin/gunicorn"
    program.write_text(f"#!{tmp_path}/shop/.venv/bin/python3\n")
    program.chmod(0o755)
    (tmp_path / "shop/.venv/bin/python3").symlink_to("/bin/sh")
    return program


def why(path):
    return _command_check.why(str(path), None, "systemctl restart shop")


def test_a_program_that_can_be_executed(environment):
    assert why(environment) is None
    assert why("/bin/sh") is None


def test_an_environment_that_was_moved(environment, tmp_path):
    os.rename(tmp_path / "shop", tmp_path / "moved")
    found = why(tmp_path / "moved/.venv/bin/gunicorn")
    assert f"names {tmp_path}/shop/.venv/bin/python3, which does not exist" in found.text
    assert f"was moved to {tmp_path}/moved/.venv" in found.text
    assert is_sentence(found.fix)


def test_a_program_that_is_in_another_environment(environment, tmp_path):
    found = why(tmp_path / "shop/venv/bin/gunicorn")
    assert found.text == f"{tmp_path}/shop/venv/bin/gunicorn does not exist, but {environment} does"


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        ("#!/bin/sh\r\n", 0o755, "carriage return"),
        ("#!/nowhere/python3\n", 0o755, "names /nowhere/python3, which does not exist"),
        ("exec gunicorn\n", 0o755, "without a first line"),
        ("#!/bin/sh\n", 0o644, "is not executable"),
    ],
)
def test_a_script_that_cannot_be_executed(tmp_path, content, mode, text):
    path = tmp_path / "start"
    path.write_bytes(content.encode())
    path.chmod(mode)
    assert text in why(path).text


def test_a_link_that_leads_nowhere_and_a_directory(tmp_path):
    (tmp_path / "a").symlink_to("/nowhere/python3.9")
    assert why(tmp_path / "a").text.endswith("is a symlink to /nowhere/python3.9, which does not exist")
    assert "is a directory" in why(tmp_path).text


def test_a_directory_that_the_user_may_not_enter(tmp_path):
    who = _command_check.Identity("shop", 12345, 12345, (), "database")
    (tmp_path / "in").mkdir(mode=0o755)
    (tmp_path / "in").chmod(0o700)
    tmp_path.chmod(0o755)
    closed = _command_check.closed_directory(str(tmp_path / "in/gunicorn"), who)
    assert closed
    assert str(tmp_path / "in").startswith(closed)
