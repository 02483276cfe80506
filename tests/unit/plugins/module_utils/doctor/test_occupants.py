# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _occupants
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._occupants import Occupant
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Named, Starter, Text

ADDRESS = "127.0.0.1:8000"
PROCESS = ServerProcess(pid=7, kind="gunicorn", command="gunicorn -b :8000", user="shop", directory="/srv/shop", started=1000.0)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/system.slice/shop.service", ""),
        ("/user.slice/user-1000.slice/session-3.scope", "a login session"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service", ""),
        ("/user.slice/user-1000.slice/user@1000.service/tmux-spawn-1.scope", "a session of its user"),
        ("/system.slice/ssh.service", "a login session"),
        ("/system.slice/cron.service", ""),
        ("/system.slice/docker-0123.scope", ""),
        ("/docker/0123", ""),
        ("/", "a shell"),
        ("", "a shell"),
    ],
)
def test_where_a_process_was_started(path, found):
    assert _occupants.by_hand(path) == found


@pytest.mark.parametrize(
    ("text", "init", "path"),
    [
        ("0::/system.slice/shop.service\n", "0::/init.scope\n", "/system.slice/shop.service"),
        ("0::/docker/0123/system.slice/shop.service\n", "0::/docker/0123/init.scope\n", "/system.slice/shop.service"),
        ("3:cpu:/x\n1:name=systemd:/system.slice/shop.service\n", "1:name=systemd:/init.scope\n", "/system.slice/shop.service"),
        ("0::/docker/0123\n", "0::/docker/0123/init.scope\n", ""),
    ],
)
def test_a_control_group_is_seen_from_systemd(text, init, path):
    assert _occupants.group_path(text, _occupants.group_root(init)) == path


def named(unit="shop.service", directory="/srv/shop", **options):
    text = Text("gunicorn -b 127.0.0.1:8000", directory, f"/etc/{unit}")
    return Named(Starter(unit, texts=(text,), file=f"/etc/{unit}", **options))


def judged(by_hand, *starters, owner="", states=None, process=PROCESS):
    return _occupants.judge(Occupant(process, by_hand), ADDRESS, starters, states or {}, owner)


def test_a_server_that_its_unit_runs_is_no_finding():
    assert judged("", named(), owner="shop.service") == []


def test_a_server_started_by_hand_that_nothing_would_start():
    (found,) = judged("was started by hand, in a login session")
    assert (found.severity, found.code) == ("warning", "not_supervised")
    assert is_sentence(found.fix)


def test_an_old_process_of_the_same_app_gives_way_to_its_unit():
    states = {"shop.service": {"ActiveState": "failed", "User": "shop", "UnitFileState": "enabled"}}
    (found,) = judged("was started by hand, in a shell", named(), states=states)
    assert found.code == "address_taken"
    assert found.fix == "kill 7 && timeout 40 tail --pid=7 -f /dev/null && systemctl restart shop"


def test_what_an_earlier_run_of_a_program_left_gives_way_to_the_next():
    program = named("supervisor.service", "", program="web:shop")
    (found,) = judged(_occupants.LEFT_OVER, program)
    assert found.fix == "kill 7 && timeout 40 tail --pid=7 -f /dev/null && supervisorctl restart web:shop"


@pytest.mark.parametrize("changed", [{"directory": "/srv/blog"}, {"user": "blog"}])
def test_no_fix_changes_which_app_answers(changed):
    process = ServerProcess(**{**vars(PROCESS), **changed})
    states = {"shop.service": {"ActiveState": "failed", "User": "shop"}}
    (found,) = judged("was started by hand, in a shell", named(), states=states, process=process)
    assert is_sentence(found.fix)


def test_another_unit_that_wants_the_address():
    states = {"other.service": {"ActiveState": "failed"}, "idle.service": {"ActiveState": "inactive"}}
    assert [each.code for each in judged("", named("other.service"), owner="shop.service", states=states)] == ["address_taken"]
    assert judged("", named("idle.service"), owner="shop.service", states=states) == []


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("/usr/bin/socat TCP-LISTEN:8452,fork TCP:127.0.0.1:8453", "127.0.0.1:8453"),
        ("/usr/bin/docker-proxy -proto tcp -host-ip 127.0.0.1 -container-ip 172.17.0.2 -container-port 80", "172.17.0.2:80"),
        ("/lib/systemd/systemd-socket-proxyd --exit-idle-time=3 127.0.0.1:8562", "127.0.0.1:8562"),
        ("/usr/bin/gunicorn -b :8000", ""),
    ],
)
def test_where_a_forwarder_leads(command, target):
    assert _occupants.forwarded(command.split()) == target


def test_a_forwarder_without_a_server_behind_it():
    process = ServerProcess(pid=7, command="/usr/bin/socat TCP-LISTEN:8452 TCP:127.0.0.1:8453")
    assert _occupants.judge_forwarder(process, ADDRESS, []).code == "forwarder_without_server"
    assert _occupants.judge_forwarder(process, ADDRESS, [Listener("0.0.0.0:8453", 0, 1)]) is None
    assert _occupants.judge_forwarder(PROCESS, ADDRESS, []) is None
