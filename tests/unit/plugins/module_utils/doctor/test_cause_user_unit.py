# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_user_unit
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner

START = 'runuser -u sammy -- env XDG_RUNTIME_DIR="/run/user/$(id -u sammy)" systemctl --user enable --now shop'


@pytest.mark.parametrize(
    ("served", "lingering", "managed", "log", "expected"),
    [
        (True, True, True, None, []),
        (True, False, True, None, [("warning", "user_not_lingering", "loginctl enable-linger sammy")]),
        (False, False, False, None, [("broken", "user_not_lingering", f"loginctl enable-linger sammy && sleep 2 && {START}")]),
        (False, True, True, None, [("broken", "unit_stopped", START)]),
        (False, True, True, Why("x", "Correct it."), [("broken", "unit_failed", "Correct it.")]),
    ],
)
def test_a_unit_of_a_user_needs_its_users_systemd(served, lingering, managed, log, expected):
    found = _cause_user_unit.judge(Owner("shop.service", user="sammy"), "a", served, lingering, managed, log, ())
    assert [(each.severity, each.code, each.fix) for each in found] == expected
