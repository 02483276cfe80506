# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _neighbours


def warnings(*users, fix="setfacl {}"):
    return [{"code": "other_app", "message": f"{user} can send requests.", "fix": fix.format(users[0])} for user in users]


def test_however_many_apps_reach_one_another_it_is_one_finding():
    users = [f"app{number}" for number in range(20)]
    sockets = [(f"unix:/run/{user}", warnings(*[other for other in users if other != user])) for user in users]
    (found,) = _neighbours.judge(sockets)
    assert found.site == ""
    assert "20 apps" in found.message
    assert found.evidence[0] == "app1 can send requests. So can 18 other users."
    assert found.evidence[-1] == "Not shown: 10 more."
    assert len(found.evidence) == 11
    assert found.quick_fix == "setfacl app1 && setfacl app0"


def test_nothing_is_said_if_nobody_reaches_another():
    assert _neighbours.judge([("unix:/run/a", []), ("unix:/run/b", [])]) == []


def test_a_quick_fix_is_for_all_sockets_or_there_is_none():
    (found,) = _neighbours.judge([("unix:/run/a", warnings("b")), ("unix:/run/b", warnings("a", fix=""))])
    assert (found.fix, found.quick_fix) == (_neighbours.FIX, "")
