# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a program that has ended."""

from __future__ import annotations

import sys
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _command

SHELL = ["/bin/sh", "-c"]


@pytest.mark.parametrize("size", [1, 3, 10, 1000])
def test_the_beginning_and_the_end_of_an_output_are_kept(size):
    whole = b"abcdefghijklmnopqrstuvwxyz"
    kept = _command.Kept(10)
    for at in range(0, len(whole), size):
        kept.add(whole[at : at + size])
    assert kept.text == "abcde\n[16 bytes are left out here]\nvwxyz"


@pytest.mark.parametrize("limit", [None, 6])
def test_nothing_is_left_out_within_the_limit(limit):
    kept = _command.Kept(limit)
    for byte in "\u2603\u2603".encode():
        kept.add(bytes([byte]))
    assert kept.text == "\u2603\u2603"


def test_what_is_left_out_is_read_all_the_same():
    printing = [sys.executable, "-c", "import sys; sys.stdout.write('first\\n' + 'x' * 5_000_000 + '\\nlast')"]
    done = _command.run(printing, limit=1000)
    assert done.code == 0
    assert (done.output[:6], done.output[-5:], len(done.output) < 1100) == ("first\n", "\nlast", True)


@pytest.mark.parametrize("size", [0, 3, 300_000])
def test_a_program_reads_what_it_is_given(size):
    done = _command.run(["cat"], stdin=b"x" * size)
    assert (done.code, done.output) == (0, "x" * size)


@pytest.mark.parametrize(
    "command", ["echo begun; sleep 60", "echo begun; exec >&- 2>&-; sleep 60", "echo begun; sleep 60 & exit 0"]
)
def test_a_program_has_its_time(command):
    began = time.monotonic()
    done = _command.run([*SHELL, command], timeout=0.3)
    assert time.monotonic() - began < 20
    assert (done.code, done.output.splitlines()[0]) == (124, "begun")
    assert done.last_line == "/bin/sh did not end within 0.3 s"


def test_a_program_that_is_not_there_or_may_not_be_run_is_named(tmp_path):
    (tmp_path / "program").touch(0o644)
    assert _command.run([str(tmp_path / "none")]).code == 127
    assert _command.run([str(tmp_path / "program")]).code == 126
