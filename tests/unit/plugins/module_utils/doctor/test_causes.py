# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _causes
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._app_logs import AppLog
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starter_programs import (
    Program,
    ProgramState,
    Supervisor,
)
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner

SHOP = ListeningProcess(7, 1000, ("gunicorn",), "shop.service", 1.0)


@pytest.mark.parametrize(
    ("listening", "unit", "code"),
    [
        ("[::1]:8000", "shop.service", "listens_elsewhere"),
        ("10.0.0.5:8000", "shop.service", "listens_elsewhere"),
        ("[::1]:8000", "blog.service", ""),
        ("[::1]:8001", "shop.service", ""),
    ],
)
def test_the_app_listens_on_the_same_port_of_another_address(monkeypatch, listening, unit, code):
    monkeypatch.setattr(_causes._processes, "described", lambda _pid: SHOP)
    address = "127.0.0.1:8000"
    listeners = (Listener(listening, 0, 1, pids=(7,)),)
    owner = Owner(unit)
    served = _causes.Served(address, address, "a", "refused", False, None, {}, unit, owner, AppLog(), (), "", listeners=listeners)
    assert [finding.code for finding in _causes.judge(served, HostCatalog())] == [code] * bool(code)


def failing(state):
    """A host whose supervisord has one program."""
    program = Program("web:shop", "web", {"command": "/usr/bin/gunicorn app"}, "/etc/supervisor/conf.d/shop.conf")
    states = {"web:shop": ProgramState(state, "Exited too quickly")}
    return HostCatalog(supervisor=Supervisor({"web:shop": program}, states, True))


def of_program(code, process=None):
    """What was seen of that program's socket."""
    owner = Owner("supervisor.service", program="web:shop")
    return _causes.Served("unix:/run/shop", "/run/shop", "a", code, True, process, {}, owner.unit, owner, AppLog(), (), "")


@pytest.mark.parametrize(
    ("code", "state", "failed"),
    [
        ("missing", "BACKOFF", True),
        ("missing", "STARTING", True),
        ("missing", "FATAL", True),
        ("closed", "BACKOFF", True),
        ("refused", "BACKOFF", True),
        ("refused", "RUNNING", True),
        ("missing", "RUNNING", False),  # its file was removed, and it listens still
        ("closed", "RUNNING", False),
    ],
)
def test_a_program_that_is_seen_between_two_of_its_failures(code, state, failed):
    assert [finding.code for finding in _causes.judge(of_program(code), failing(state))] == ["program_failed"] * failed


@pytest.mark.parametrize(("age", "codes"), [(1, ["program_failed"]), (60, ["not_supervised", "program_failed"])])
def test_a_program_that_was_started_again_meanwhile_is_not_a_left_over_one(monkeypatch, age, codes):
    monkeypatch.setattr(_causes._starter_programs, "of_process", lambda _pid, _supervisor: "")
    process = ServerProcess(pid=7, started=time.time() - age, program="gunicorn")
    assert [finding.code for finding in _causes.judge(of_program("closed", process), failing("BACKOFF"))] == codes


SERVED = _causes.Served("127.0.0.1:8002", "127.0.0.1:8002", "a", "refused", False, None, {}, "", None, AppLog(), (), "")


@pytest.mark.parametrize(("count", "codes"), [(0, []), (1, ["listens_elsewhere"]), (2, [])])
def test_the_only_app_that_nginx_does_not_use_may_be_the_one_that_is_meant(monkeypatch, count, codes):
    monkeypatch.setattr(_causes._processes, "command_line", lambda _pid: ["/usr/bin/gunicorn"])
    monkeypatch.setattr(_causes._processes, "described", lambda _pid: SHOP)
    listeners = tuple(Listener(f"127.0.0.1:{port}", 0, 1, pids=(port,)) for port in (8001, 8003, 8004))
    served = replace(SERVED, listeners=listeners, unused=listeners[1 : 1 + count])
    found = _causes.judge(served, HostCatalog())
    assert [finding.code for finding in found] == codes
    assert all(finding.evidence == ("127.0.0.1:8003",) for finding in found)


RUNNING = {"Id": "shop.service", "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success"}
RAISED = "[ERROR] Socket error\nConnectionRefusedError: [Errno 111] Connection refused\n"


def of_unit(code, log="", started=0.0, **properties):
    """What was seen of a service that listens and does not answer."""
    process = ServerProcess(pid=7, kind="gunicorn", started=started)
    unit = {**RUNNING, **properties}
    known = {"code": code, "listened": True, "process": process, "unit": unit, "unit_name": "shop.service"}
    return replace(SERVED, owner=Owner("shop.service"), log=AppLog(log, "journalctl -u shop"), **known)


@pytest.fixture
def supervised(monkeypatch):
    monkeypatch.setattr(_causes._occupants, "where_started", lambda _pid: "")


@pytest.mark.usefixtures("supervised")
def test_an_app_that_closes_the_connection_has_its_exception_in_the_log():
    (found,) = _causes.judge(of_unit("closed", RAISED), HostCatalog())
    assert found.code == "app_raises"
    assert "closes the connection without answering: ConnectionRefusedError: [Errno 111]" in found.message


RUNS = "[INFO] Starting gunicorn 23.0.0\nKeyError: 'SECRET_KEY'\n[INFO] Starting gunicorn 23.0.0\n"


@pytest.mark.usefixtures("supervised")
def test_a_service_that_keeps_restarting_has_its_cause_in_the_run_before():
    (found,) = _causes.judge(of_unit("closed", RUNS, time.time() - 2, NRestarts="13"), HostCatalog())
    assert (found.severity, found.code) == ("broken", "unit_restarting")
    assert "(13 restarts so far): KeyError: 'SECRET_KEY'" in found.message
    assert _causes.judge(of_unit("closed", RUNS, time.time() - 1000, NRestarts="13"), HostCatalog()) == []


@pytest.mark.parametrize(
    ("restarts", "present", "runs"),
    [("13", "", ["this", ""]), ("13", "KeyError: 'A_B'", ["this"]), ("1", "", ["this"])],
)
def test_the_log_of_the_runs_before_is_read_if_this_one_says_nothing(monkeypatch, restarts, present, runs):
    read = []
    monkeypatch.setattr(_causes._app_logs, "of_unit", lambda _unit, run, _since: read.append(run) or AppLog(present))
    unit = {**RUNNING, "NRestarts": restarts, "InvocationID": "this"}
    process = ServerProcess(pid=7, started=time.time() - 2)
    _causes.log_of(Owner("shop.service"), process, unit, "shop.service", HostCatalog())
    assert read == runs


def test_a_script_that_ends_before_its_server_is_named():
    process = ServerProcess(kind="gunicorn", command="gunicorn app &", daemon=True)
    unit = {**RUNNING, "ActiveState": "inactive", "SubState": "dead", "Type": "simple"}
    owner = Owner("shop.service")
    (found,) = _causes.judge(replace(SERVED, process=process, unit=unit, unit_name="shop.service", owner=owner), HostCatalog())
    assert found.code == "server_daemonizes"
    assert found.fix.startswith("Write exec before its command in the script, and remove the ampersand after it, then run: ")


@pytest.mark.usefixtures("supervised")
def test_a_unit_that_keeps_nginx_from_its_server():
    found = _causes.judge(of_unit("refused", PrivateNetwork="yes"), HostCatalog())
    assert [(finding.code, finding.evidence) for finding in found] == [("unit_network", ("PrivateNetwork=yes",))]


@pytest.mark.parametrize(("result", "said"), [("exit-code", "It is wrong."), ("success", "")])
def test_what_supervisord_says_itself_as_it_refuses_to_start(monkeypatch, result, said):
    asked = []
    monkeypatch.setattr(_causes._systemd, "journal", lambda fields, **_options: asked.append(fields) or "Error: It is wrong.\n")
    assert _causes._refusal({"InvocationID": "7", "Result": result}) == said
    assert asked == [["_SYSTEMD_INVOCATION_ID=7", "_UID=0", "_COMM=supervisord"]] * bool(said)
