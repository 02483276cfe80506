# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _lasting
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Evidence, Target
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner, SocketSetting
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._walk import Refusal

DAEMON = Identity("daemon", 1, 1, (), "database")


def seen(command, setting=None, uid=1000, owner="shop.service", **options):
    server = ListeningProcess(os.getpid(), uid, tuple(command.split()), "shop.service")
    return Evidence(Target("unix:/run/shop.sock"), DAEMON, DAEMON, server=server, owner=Owner(owner, **options), setting=setting)


REFUSAL = Refusal({"path": "/run/shop.sock", "mode": 0o600, "uid": 1000, "gid": 0}, "no_write_permission", 2)


@pytest.mark.parametrize(
    ("command", "setting", "mode"),
    [
        ("gunicorn -m 007 app", None, 0o770),
        ("gunicorn --umask=0o177 app", None, 0o600),
        ("gunicorn app", None, 0o777),
        ("uwsgi --ini x", SocketSetting("x", 0o660), 0o660),
        ("uwsgi --ini x", None, 0o755),
        ("python3 x", None, None),
    ],
)
def test_the_mode_that_a_server_gives_its_socket(command, setting, mode):
    assert _lasting.mode_at_start(seen(command, setting)) == mode


def test_the_server_is_started_in_the_group_of_who_connects():
    found = _lasting.of_socket(seen("gunicorn -m 007 app"), REFUSAL)
    assert "Group=daemon\\nSupplementaryGroups=root" in found
    assert found.endswith("systemctl daemon-reload && systemctl restart shop")


@pytest.mark.parametrize(
    "evidence",
    [
        seen("gunicorn -m 077 app"),
        seen("gunicorn -m 007 app", uid=0),
        seen("gunicorn -m 007 app", owner="other.service"),
        seen("gunicorn -m 007 app", program="shop"),
        seen("uwsgi --ini x", SocketSetting("x", 0o660, group="shop")),
    ],
)
def test_what_a_group_does_not_fix_is_left(evidence):
    assert _lasting.of_socket(evidence, REFUSAL) == ""


def test_a_socket_that_somebody_has_changed_is_right_again_after_a_restart(monkeypatch):
    monkeypatch.setattr(_lasting._identity, "of_process", lambda pid: DAEMON)
    assert _lasting.recreates_access(seen("gunicorn -m 007 app"), REFUSAL)
    assert not _lasting.recreates_access(seen("gunicorn -m 077 app"), REFUSAL)
