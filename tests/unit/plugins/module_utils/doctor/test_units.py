# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _units
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd

SHOWN = """\
Id=shop.service
LoadState=loaded
ActiveState=active
SubState=running
ExecStart={ path=/usr/bin/uwsgi ; argv[]=/usr/bin/uwsgi --ini shop.ini ; ignore_errors=no ; start_time=[n/a] ; pid=0 }
WorkingDirectory=!/srv/shop
FragmentPath=/etc/systemd/system/shop.service
DropInPaths=/etc/systemd/system/shop.service.d/a.conf
EnvironmentFiles=/etc/default/shop (ignore_errors=yes)

Id=gone.service
LoadState=not-found
ActiveState=inactive
"""

HEALTHY = {
    "Id": "shop.service",
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "NRestarts": "0",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
}


def test_a_unit_that_is_enabled_for_no_target_that_is_reached_does_not_start_at_boot(monkeypatch):
    monkeypatch.setattr(_units._untrusted, "configuration", lambda _path: "[Install]\nWantedBy=mutli-user.target\n")
    (found,) = _units.judge(HEALTHY, "127.0.0.1:1", True, 1000.0, [])
    assert (found.code, found.evidence) == ("unit_not_enabled", ("WantedBy=mutli-user.target",))
    assert found.fix == "systemctl add-wants multi-user.target shop.service"
    stopped = {**HEALTHY, "ActiveState": "inactive"}
    (found,) = _units.judge(stopped, "127.0.0.1:1", False, 0.0, [])
    assert found.fix == "systemctl add-wants multi-user.target shop.service && systemctl start shop"
    assert _units.judge({**HEALTHY, "WantedBy": "multi-user.target"}, "127.0.0.1:1", True, 1000.0, []) == []


def judged(served=True, age=1000.0, answers=True, **properties):
    unit = {**HEALTHY, **properties}
    found = _units.judge(unit, "unix:/run/shop.sock", served, age, ["Error: last words"], answers=answers)
    return [(finding.severity, finding.code) for finding in found]


def test_the_properties_of_units_are_read():
    units = _systemd.parse(SHOWN)
    assert set(units) == {"shop.service", "gone.service"}
    shop = units["shop.service"]
    assert _units.command(shop) == ["/usr/bin/uwsgi", "--ini", "shop.ini"]
    assert _units.directory(shop) == "/srv/shop"
    assert _units.directory({"WorkingDirectory": "[not set]"}) == ""
    assert _units.files(shop) == [
        "/etc/systemd/system/shop.service",
        "/etc/systemd/system/shop.service.d/a.conf",
        "/etc/default/shop",
    ]
    assert _units.command({}) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"NRestarts": "7"}, []),  # it has run for long since
        ({"NRestarts": "7", "age": 2.0}, [("warning", "unit_restarting")]),
        ({"NRestarts": "7", "age": 2.0, "answers": False}, [("broken", "unit_restarting")]),
        ({"served": False, "SubState": "auto-restart", "ActiveState": "activating"}, [("broken", "unit_restarting")]),
        ({"served": False, "ActiveState": "failed", "NRestarts": "5", "age": 0.0}, [("broken", "unit_failed")]),
        ({"served": False, "ActiveState": "inactive"}, [("broken", "unit_stopped")]),
        ({"ActiveState": "inactive"}, []),  # somebody else listens: systemd, for it
        ({"served": False, "ActiveState": "inactive", "LoadState": "not-found"}, []),
        ({"served": False, "ActiveState": "active", "SubState": "exited"}, [("broken", "unit_exited")]),
        ({"served": False, "ActiveState": "activating", "SubState": "start"}, [("broken", "unit_starting")]),
        ({"NeedDaemonReload": "yes"}, [("warning", "unit_changed")]),
        ({"UnitFileState": "disabled"}, [("warning", "unit_not_enabled")]),
        ({"UnitFileState": "disabled", "TriggeredBy": "shop.socket"}, []),
        ({"UnitFileState": "disabled", "RequiredBy": "all-apps.target"}, []),
        ({"UnitFileState": "static"}, []),
        ({"UnitFileState": "transient"}, []),
    ],
)
def test_a_unit_is_judged(options, expected):
    assert judged(**options) == expected


def test_a_finding_says_what_the_unit_said_last():
    (found,) = _units.judge({**HEALTHY, "ActiveState": "failed"}, "a", False, 0.0, ["Error: last words"])
    assert found.evidence[-1] == "Error: last words"
    assert found.fix.endswith("then run: systemctl restart shop.")


def test_a_unit_that_nothing_starts_at_boot_is_enabled_too():
    stopped = {**HEALTHY, "ActiveState": "inactive"}
    for changed, fix in (
        ({}, "systemctl start shop"),
        ({"UnitFileState": "disabled"}, "systemctl enable --now shop"),
        ({"UnitFileState": "disabled", "TriggeredBy": "shop.socket"}, "systemctl start shop"),
    ):
        (found,) = _units.judge({**stopped, **changed}, "a", False, 0.0, [])
        assert found.fix == fix


def test_why_a_unit_does_not_run_is_in_the_message_with_its_fix():
    why = Why("its file is gone", "Restore it.", code="file_gone")
    (found,) = _units.judge({**HEALTHY, "ActiveState": "failed", "Result": "resources"}, "a", False, 0.0, [], why)
    assert found.message == "shop.service, which should listen on a, has failed (resources): its file is gone."
    assert (found.code, found.fix) == ("file_gone", "Restore it.")
