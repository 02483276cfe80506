# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of workers and timers in a release."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.release import _workers
from ansible_collections.wsgi.stack.tests import apps


@pytest.mark.parametrize(
    ("command", "replaces"),
    [
        ("celery -A shop worker", True),
        ("celery -A shop worker >>log 2>&1", True),
        ("python -c 'print(1); print(2)'", True),
        ('rq worker --name="$(hostname)"', True),
        ("cd web && celery", False),
        ("A=1 celery", False),
        ("a | b", False),
        ("a &", False),
        ("while true; do a; done", False),
        ("echo 'open", False),
    ],
)
def test_a_single_command_takes_the_place_of_the_shell(command, replaces):
    assert _workers.replacing(command) == (f"exec {command}" if replaces else command)


def test_a_command_of_several_lines_ends_with_the_first_that_fails():
    done = subprocess.run(["/bin/bash", "-c", _workers.replacing("echo a\nfalse\necho b")], stdout=subprocess.PIPE, check=False)
    assert (done.stdout, done.returncode) == (b"a\n", 1)


@pytest.mark.parametrize("command", ["sleep 60", "sleep 60 >/dev/null", "cd / && sleep 60", "A=1 sleep 60"])
def test_no_shell_stays_between_a_signal_and_what_runs(command):
    with subprocess.Popen(["/bin/bash", "-c", _workers.replacing(command)]) as process:
        try:
            for _attempt in range(100):
                with open(f"/proc/{process.pid}/cmdline", encoding="utf-8") as stream:
                    words = stream.read().split("\0")
                if words[0] == "sleep":
                    break
                subprocess.run(["sleep", "0.05"], check=True)
            assert words[:2] == ["sleep", "60"]
        finally:
            process.kill()


def test_a_script_runs_each_command_by_its_name(tmp_path):
    app = apps.resolved(
        workers={"queue": {"command": 'echo "it\'s $WSGI_WORKER $WSGI_WORKER_NUMBER"'}},
        timers={"clean": {"command": "echo clean; exit 3", "schedule": "daily"}},
    )
    (tmp_path / "run").write_text('#!/bin/sh\nexec "$@"\n')
    (tmp_path / "run").chmod(0o755)
    script = _workers.script(app, str(tmp_path))["work"]

    def run(*arguments):
        done = subprocess.run(["sh", "-c", script, "work", *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert run("queue", "2") == (0, "it's queue 2\n")
    assert run("clean") == (3, "clean\n")
    assert run("other") == (64, "")


def test_an_app_without_workers_has_no_script():
    assert _workers.script(apps.resolved(), "/srv") == {}


@pytest.mark.parametrize(
    ("first_host", "names"), [(True, (["queue", "beat"], ["clean", "rotate"])), (False, (["queue"], ["rotate"]))]
)
def test_what_is_single_is_for_the_first_host(first_host, names):
    app = apps.resolved(
        workers={"queue": {"command": "celery"}, "beat": {"command": "celery", "single": True}},
        timers={"clean": {"command": "a", "schedule": "daily"}, "rotate": {"command": "b", "schedule": "daily", "on": "all"}},
    )
    assert tuple(map(list, _workers.of(_workers.facts(app), first_host))) == names
    assert _workers.of({}, first_host) == ({}, {})  # of a release that was made before there were workers
