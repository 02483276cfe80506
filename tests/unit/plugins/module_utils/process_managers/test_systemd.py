# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemctl prints, read."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import unit_states

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
