# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc shows, read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _processes


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/usr/bin/uwsgi-core (deleted)", True),
        ("/srv/wsgi/shop/builds/abc/venv/bin/uwsgi (deleted)", True),
        ("/usr/lib/uwsgi/plugins/python311_plugin.so (deleted)", True),
        ("/opt/my python/lib/libpython3.12.so.1.0 (deleted)", True),
        ("/usr/bin/uwsgi-core", False),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)", False),
        ("/dev/zero (deleted)", False),
        ("/srv/wsgi/shop/builds/abc/venv/lib/python3.11/site-packages/bin.so (deleted)", False),
        ("[heap]", False),
        ("", False),
    ],
)
def test_what_was_replaced_since_it_was_loaded(path, counts):
    line = f"556bd6cc1000-556bd6ceb000 r-xp 0002a000 00:3d 2531955                    {path}\n"
    assert _processes.replaced_in(line * 3) == ([path.removesuffix(" (deleted)")] if counts else [])


def test_a_program_of_ones_own_is_replaced(tmp_path):
    program = tmp_path / "bin/cat"
    program.parent.mkdir()
    shutil.copy("/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"x\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"x\n"  # so it has begun
        assert _processes.replaced(process.pid) == []
        shutil.copy(program, program.with_name("cat.new"))
        os.rename(program.with_name("cat.new"), program)
        assert _processes.replaced(process.pid) == [str(program)]
    assert _processes.replaced(process.pid) == []


def test_a_process_tells_how_it_was_called():
    with subprocess.Popen(["cat", "-u", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"x\n")
        process.stdin.flush()
        process.stdout.readline()
        assert _processes.command_lines()[process.pid] == ["cat", "-u", "-"]


@pytest.mark.parametrize("name", ["uwsgi", "a b", "evil) S 1 (", ")"])
def test_a_process_is_known_by_its_id_and_its_start(name):
    rest = " ".join(str(number) for number in range(5, 53))
    assert _processes.parsed(f"42 ({name}) S 7 {rest}") == ((42, 22), 7)


def test_a_family_is_all_that_a_process_has_started():
    processes = {(1, 0): 0, (10, 5): 1, (11, 6): 10, (12, 6): 10, (13, 7): 12, (20, 8): 1, (21, 9): 20}
    assert _processes.with_descendants([10], processes) == {(10, 5), (11, 6), (12, 6), (13, 7)}
    assert _processes.with_descendants([99], processes) == set()


def test_what_is_killed_is_that_process_and_no_later_one_of_its_id():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        family = _processes.with_descendants([child.pid], _processes.all_processes())
        _processes.kill({(pid, start + 1) for pid, start in family})
        assert family <= set(_processes.all_processes())
        _processes.kill(family)
        assert child.wait(10) == -9
    finally:
        child.kill()
        child.wait()
        child.stdin.close()


def test_a_process_is_described():
    me = _processes.described(os.getpid())
    assert (me.pid, me.uid) == (os.getpid(), os.geteuid())
    assert me.command[0] == _processes.command_lines()[os.getpid()][0]
    assert 0 <= time.time() - me.started < 3600
    assert me.name.endswith(f"(process {os.getpid()}, user {_accounts.user_name(os.geteuid())})")
    assert me.result()["user"] == me.user


def test_a_process_that_is_gone():
    gone = 2**22 + 1  # above the largest process id, see proc(5)
    assert _processes.described(gone) is None
    assert _processes.started(gone) == 0


def test_a_service_that_runs_has_a_main_process(monkeypatch):
    monkeypatch.setattr(_processes._systemd, "main_pid", lambda service: os.getpid())
    assert _processes.main_process("shop.service").pid == os.getpid()


@pytest.mark.parametrize("pid", [0, 1])
def test_a_service_that_does_not_run_has_none(monkeypatch, pid):
    monkeypatch.setattr(_processes._systemd, "main_pid", lambda service: pid)
    assert _processes.main_process("shop.service") is None
