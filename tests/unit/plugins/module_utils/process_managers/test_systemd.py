# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemctl prints, read."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import Units, refusal, unit_states

SHOWN = """Id=wsgi-blue@shop.service
ActiveState=active
SubState=running
UnitFileState=enabled
NRestarts=0
MainPID=4711
InvocationID=cafe

Id=wsgi-green@shop.service
ActiveState=activating
SubState=auto-restart
UnitFileState=disabled
NRestarts=3
InvocationID=

Id=wsgi-green@blog.service
ActiveState=inactive
SubState=dead
UnitFileState=
NRestarts=0
InvocationID=
"""


def test_states_are_read_by_unit(monkeypatch):
    monkeypatch.setattr(_systemd, "run", lambda argv, timeout: Completed(tuple(argv), 0, SHOWN))
    assert unit_states(["wsgi-blue@shop.service", "wsgi-green@shop.service", "wsgi-green@blog.service", "unknown.service"]) == {
        "wsgi-blue@shop.service": Instance(active=True, ready=True, enabled=True, pid=4711),
        "wsgi-green@shop.service": Instance(active=True, failing=True),
        "wsgi-green@blog.service": Instance(),
        "unknown.service": Instance(),
    }


def test_systemd_is_not_made_to_load_slots_that_do_not_run(monkeypatch):
    loaded = "wsgi-blue@shop.service loaded active running A slot\nwsgi-green@shop.socket loaded active listening Its socket\n"
    asked = []

    def run(argv, timeout, limit=None):
        asked.append(argv)
        return Completed(
            tuple(argv), 0, loaded if argv[1] == "list-units" else SHOWN + "\nId=wsgi-green@shop.socket\nActiveState=active"
        )

    monkeypatch.setattr(_systemd, "run", run)
    states = Units().states(["wsgi-blue@shop", "wsgi-green@shop", "wsgi-green@blog"])
    assert states == {
        "wsgi-blue@shop": Instance(active=True, ready=True, enabled=True, pid=4711),
        "wsgi-green@shop": Instance(active=True),
        "wsgi-green@blog": Instance(),
    }
    assert asked[-1][4:] == ["wsgi-blue@shop.service", "wsgi-green@shop.socket"]


@pytest.mark.parametrize(
    ("output", "log", "told"),
    [
        (
            "Failed to start wsgi-blue@shop.service: Unit wsgi-blue@shop.socket is masked.\n",
            "",
            "Unit wsgi-blue@shop.socket is masked; run systemctl unmask wsgi-blue@shop.socket, then",
        ),
        (
            "Failed to enable unit: Unit file /etc/systemd/system/wsgi-blue@shop.service is masked.\n",
            "",
            "is masked; run systemctl unmask wsgi-blue@shop.service, then",
        ),
        (
            'Job for wsgi-blue@shop.socket failed.\nSee "systemctl status wsgi-blue@shop.socket" for details.\n',
            "wsgi-blue@shop.socket: Failed to create listening socket: Permission denied\n",
            "socket failed: wsgi-blue@shop.socket: Failed to create listening socket: Permission denied; fix that, see",
        ),
        ("", "", "systemctl ended with code 1 and no output; fix that, see journalctl -u wsgi-blue@shop.socket."),
    ],
    ids=["masked", "masked file", "job", "silent"],
)
def test_what_systemctl_refuses_is_told_in_its_words(output, log, told):
    assert told in refusal(Completed(("systemctl",), 1, output), "wsgi-blue@shop.socket", log)
