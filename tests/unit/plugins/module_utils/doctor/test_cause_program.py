# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_program
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starter_programs import (
    Program,
    ProgramState,
    Supervisor,
)

OPTIONS = {"command": "/usr/bin/gunicorn -b 127.0.0.1:8001 app", "directory": "/srv"}
PROGRAM = Program("web:shop", "web", OPTIONS, "/etc/supervisor/conf.d/shop.conf")
LOG = Why("ValueError: wrong", "Correct it.")


def judged(state, served=False, program=PROGRAM, log=LOG, answers=True):
    states = {"web:shop": state} if state else {}
    supervisor = Supervisor({"web:shop": program}, states, answers)
    found = _cause_program.judge("web:shop", supervisor, "127.0.0.1:8001", served, log, ())
    return [(each.severity, each.code, each.fix) for each in found]


def state(name, error="", command=OPTIONS["command"], directory="/srv"):
    return ProgramState(name, error, command=command, directory=directory)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (state("STOPPED"), ("program_stopped", "supervisorctl start web:shop")),
        (state("FATAL", "Exited too quickly"), ("program_failed", "Correct it.")),
        (state("RUNNING"), ("program_failed", "Correct it.")),
        (state("RUNNING", command="/usr/bin/gunicorn -b 127.0.0.1:8000 app"), ("program_not_read", "supervisorctl update web")),
        (state("RUNNING", directory="/srv/old"), ("program_not_read", "supervisorctl update web")),
        (None, ("program_not_read", "supervisorctl update web")),
    ],
)
def test_a_program_that_does_not_listen(state, expected):
    assert judged(state) == [("broken", *expected)]


def test_a_program_that_runs_and_says_nothing_is_not_started_again():
    assert judged(state("RUNNING"), log=None) == [("broken", "program_failed", "supervisorctl restart web:shop")]


def test_without_a_supervisord_that_is_the_cause():
    assert judged(None, answers=False) == [("broken", "supervisor_stopped", "systemctl enable --now supervisor")]


BADLY = (
    "Format string 'KEY=\"abc%xyz\"' for 'environment' is badly formatted: %x format: an integer is required, not dict "
    "in section 'program:shop' (file: '/etc/supervisor/conf.d/shop.conf')"
)
UNKNOWN = "Format string 'KEY=\"abc%(ENV_X)s\"' for 'environment' contains names ('ENV_X') which cannot be expanded."


@pytest.mark.parametrize(
    ("refusal", "why", "fix"),
    [
        (
            BADLY,
            "it takes the % in the option environment in /etc/supervisor/conf.d/shop.conf for an expression.",
            "Write two % for each one in environment in /etc/supervisor/conf.d/shop.conf, then run: ",
        ),
        (UNKNOWN, "start: Format string for 'environment' contains names ('ENV_X') which cannot be expanded.", "Correct that "),
    ],
)
def test_why_supervisord_does_not_start(refusal, why, fix):
    supervisor = Supervisor({"web:shop": PROGRAM}, {}, False)
    (found,) = _cause_program.judge("web:shop", supervisor, "127.0.0.1:8001", False, None, (), refusal)
    assert found.code == "supervisor_stopped"
    assert found.message.endswith(why)
    assert "abc" not in found.message
    assert found.fix.startswith(fix)
    assert found.fix.endswith("systemctl enable --now supervisor.")


def test_a_program_that_listens():
    assert judged(state("RUNNING"), served=True) == []
    late = Program("web:shop", "web", {**OPTIONS, "autostart": "false"}, "/etc/x.conf")
    assert [each[:2] for each in judged(state("RUNNING"), True, late)] == [("warning", "program_not_enabled")]


def test_a_command_that_is_not_found():
    gone = {"command": "/nowhere/venv/bin/gunicorn app"}
    program = Program("web:shop", "web", gone, "/etc/x.conf")
    (found,) = judged(
        state("FATAL", "can't find command '/nowhere/venv/bin/gunicorn'", gone["command"], ""), program=program, log=None
    )
    assert found[1] == "program_failed"
    assert found[2].startswith("Install it")


def test_a_directory_that_is_missing_is_the_cause():
    program = Program("web:shop", "web", {**OPTIONS, "directory": "/nowhere/shop"}, "/etc/x.conf")
    ((_severity, code, fix),) = judged(state("FATAL", "Exited too quickly", directory="/nowhere/shop"), program=program)
    assert (code, fix) == (
        "program_failed",
        "Correct directory= in /etc/x.conf, or restore /nowhere/shop, then run: supervisorctl update web.",
    )


@pytest.mark.parametrize(("value", "rejected"), [("ab%cd", True), ("ab%%cd", False), ("%(ENV_HOME)s/%(process_num)02d", False)])
def test_a_percent_sign_that_supervisor_takes_for_an_expression(tmp_path, value, rejected):
    file = tmp_path / "x.conf"
    file.write_text(f"[program:shop]\ncommand = x\nenvironment = A='{value}'\n")
    ((_severity, code, fix),) = judged(None, program=Program("web:shop", "web", OPTIONS, str(file)))
    assert code == "program_not_read"
    assert fix.startswith(f"Write two % for each one in environment in {file}, then run: ") == rejected
