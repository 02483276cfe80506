# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell commands of a user."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _shell
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed


def executed(*commands):
    def run(argv):
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return Completed(tuple(argv), done.returncode, done.stdout)

    return [entry["output"] for entry in _shell.execute("release_commands", commands, run, lambda text: text)]


def test_a_command_has_one_or_more_lines():
    assert executed("false; echo a", "echo b &&\n  echo c\necho d") == [["a"], ["b", "c", "d"]]


def test_one_of_several_lines_ends_with_the_first_that_fails():
    with pytest.raises(StackError) as caught:
        executed("echo a", "echo b\nfalse\necho c")
    assert caught.value.cause.startswith("echo b ... (2 of 2) ended with exit code 1: b; fix that")
