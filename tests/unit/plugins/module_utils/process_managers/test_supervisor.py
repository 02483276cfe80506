# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots as programs of supervisor."""

from __future__ import annotations

import configparser
import os
import pwd
import subprocess
import sys
import xmlrpc.client
from pathlib import Path

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _supervisor
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._supervisor import Programs, instance

BLUE = "wsgi-blue@shop"
SHOP = _resolve.resolve(
    [
        {
            "name": "shop",
            "stack": "gunicorn_supervisor",
            "source": {"git": "https://git.example.com/shop.git"},
            "entry_point": "shop.wsgi:application",
            "drain_timeout": 20,
        }
    ]
)[0]


@pytest.fixture(autouse=True)
def nginx_group(monkeypatch):
    monkeypatch.setattr(_supervisor, "_nginx_group", lambda app: "www-data")


def told(state, pid=0, stop=0):
    return {"name": BLUE, "group": BLUE, "statename": state, "pid": pid, "stop": stop}


@pytest.mark.parametrize(
    ("process", "orphans", "enabled", "expected"),
    [
        pytest.param(told("RUNNING", 10), set(), True, Instance(True, True, False, True, 10), id="well"),
        pytest.param(told("STARTING", 10), set(), True, Instance(True, True, False, True, 10), id="started a moment ago"),
        pytest.param(None, set(), False, Instance(), id="nothing of it"),
        pytest.param(None, set(), True, Instance(enabled=True), id="no supervisord runs"),
        pytest.param(None, {12, 11}, True, Instance(True, True, False, True, 11), id="supervisord was killed"),
        pytest.param(told("BACKOFF", 0, 5), set(), True, Instance(True, False, True, True), id="it exited, and is tried again"),
        pytest.param(told("STARTING", 10, 5), set(), True, Instance(True, True, True, True, 10), id="it is being tried again"),
        pytest.param(told("EXITED", 0, 5), set(), True, Instance(False, False, True, True), id="it exited"),
        pytest.param(told("FATAL", 0, 5), set(), False, Instance(False, False, True), id="supervisord has given it up"),
        pytest.param(told("BACKOFF"), {11}, True, Instance(True, True, True, True, 11), id="an older one is in its place"),
        pytest.param(told("STOPPING", 10), set(), False, Instance(True, False, False, False, 10), id="it is being stopped"),
        pytest.param(told("STOPPED", 0, 5), set(), False, Instance(False, False, True), id="somebody stopped it"),
    ],
)
def test_the_state_of_a_program(process, orphans, enabled, expected):
    assert instance(process, orphans, enabled) == expected


def test_the_file_of_a_program_says_how_it_lives():
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(_supervisor.program(SHOP, "blue", "www-data"))
    assert parser.sections() == ["fcgi-program:wsgi-blue@shop"]
    found = dict(parser["fcgi-program:wsgi-blue@shop"])
    wanted = {
        "command": "/srv/wsgi/shop/slots/blue/launch /srv/wsgi/shop/slots/blue/serve blue",
        "user": "root",
        "stopsignal": "TERM",
        "stopwaitsecs": "25",
        "stopasgroup": "false",
        "killasgroup": "true",
        "autostart": "true",
        "autorestart": "true",
        "stderr_logfile": "/var/log/supervisor/wsgi/wsgi-blue@shop.stderr.log",
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert "environment" not in found


def test_a_program_is_added_by_its_name_and_by_nothing_that_is_about_all(supervisord):
    Programs().start(SHOP, "blue")
    assert [call for call in supervisord.calls if call[0] != "getAllProcessInfo"] == [
        ("reloadConfig",),
        ("addProcessGroup", BLUE),
    ]
    assert os.path.exists(_layout.of(SHOP).program("blue"))


def test_a_program_that_has_ended_makes_way_for_the_one_of_the_same_name(supervisord):
    supervisord.answers["getAllProcessInfo"] = [told("EXITED")]
    Programs().start(SHOP, "blue")
    done = [call[0] for call in supervisord.calls if call[0] != "getAllProcessInfo"]
    assert done == ["removeProcessGroup", "reloadConfig", "addProcessGroup"]


@pytest.mark.parametrize(
    ("method", "fault", "words"),
    [
        (
            "reloadConfig",
            xmlrpc.client.Fault(92, "CANT_REREAD: Invalid user name nobody-there in section 'program:theirs'"),
            "supervisord cannot read its configuration: Invalid user name nobody-there in section 'program:theirs'; fix the",
        ),
        (
            "addProcessGroup",
            xmlrpc.client.Fault(10, "BAD_NAME: x"),
            "supervisord does not read ",
        ),
    ],
)
def test_what_supervisord_refuses_leaves_nothing_and_says_why(supervisord, method, fault, words):
    supervisord.answers[method] = fault
    with pytest.raises(StackError) as failure:
        Programs().start(SHOP, "blue")
    assert failure.value.step == "supervisor"
    assert failure.value.cause.startswith(words)
    assert not os.path.exists(_layout.of(SHOP).program("blue"))


@pytest.mark.usefixtures("supervisord")
def test_a_configuration_that_cannot_be_read_is_the_matter_of_the_apps_under_supervisor(monkeypatch, tmp_path):
    (tmp_path / "supervisord.conf").write_text("not a section\n")
    assert Programs().states([BLUE]) == {BLUE: Instance()}
    program = Path(_layout.of(SHOP).program("blue"))
    program.write_text("")
    with pytest.raises(StackError):
        Programs().states([BLUE])
    program.unlink()
    monkeypatch.setattr(_supervisor, "masters", lambda names: {name: {(7, 8.0)} for name in names})
    with pytest.raises(StackError):
        Programs().states([BLUE])


def test_the_log_begins_with_the_start(monkeypatch, tmp_path, supervisord):
    monkeypatch.setattr(_layout, "PROGRAM_LOGS", str(tmp_path))
    errors = tmp_path / "wsgi-blue@shop.stderr.log"
    errors.write_text("of an earlier one\n")
    programs = Programs()
    programs.start(SHOP, "blue")
    with errors.open("a") as stream:
        stream.write("ImportError: no\n")
    (tmp_path / "wsgi-blue@shop.stdout.log").write_text("printed\n")
    assert programs.log(_layout.of(SHOP), "blue", 0).splitlines() == ["printed", "ImportError: no"]
    errors.write_text("anew\n")  # as supervisord does when one is full
    assert programs.log(_layout.of(SHOP), "blue", 0).splitlines() == ["printed", "anew"]


def test_masters_are_found_whoever_has_started_them(monkeypatch):
    mine = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(_supervisor.pwd, "getpwnam", lambda name: {"shop": mine}[name])
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', *sys.argv[1:]])"
    command = [sys.executable, "-c", f"{code}; print(1, flush=True); time.sleep(60)"]
    serving = ["--name", BLUE, "x"]
    with subprocess.Popen([*command, *serving], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            found = _supervisor.masters([BLUE, "wsgi-green@shop"])
            assert [pid for pid, _start in found[BLUE]] == [process.pid]
            assert found["wsgi-green@shop"] == set()
            monkeypatch.setattr(_supervisor.pwd, "getpwnam", lambda _name: nobody())
            assert _supervisor.masters([BLUE]) == {BLUE: set()}
        finally:
            family = _supervisor._processes.with_descendants([process.pid], _supervisor._processes.all_processes())
            _supervisor._processes.kill(family)


def nobody():
    """An account that nothing runs as."""
    return pwd.struct_passwd(("nobody-there", "x", 4242424, 4242424, "", "/", ""))
