# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_socket
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why

BOTH = "systemctl reset-failed shop; systemctl restart shop.socket"


@pytest.mark.parametrize(
    ("socket", "service", "why", "code", "fix"),
    [
        ("active", "active", None, "", ""),
        ("inactive", "inactive", None, "unit_stopped", "systemctl enable --now shop.socket"),
        ("inactive", "active", None, "unit_stopped", "systemctl stop shop && systemctl enable --now shop.socket"),
        ("failed", "failed", None, "unit_failed", f"Correct what its log says (journalctl -u shop -n 50), then run: {BOTH}."),
        ("failed", "failed", Why("it is so", "systemctl restart shop"), "unit_failed", BOTH),
        (
            "failed",
            "failed",
            Why("it is so", "Do it, then run: systemctl restart shop."),
            "unit_failed",
            f"Do it, then run: {BOTH}.",
        ),
    ],
)
def test_a_socket_of_systemd_that_does_not_listen(socket, service, why, code, fix):
    units = [{"Id": "shop.socket", "ActiveState": socket}, {"Id": "shop.service", "LoadState": "loaded", "ActiveState": service}]
    found = _cause_socket.judge(*units, "unix:/run/shop.sock", why, ())
    assert [(each.code, each.fix) for each in found] == ([(code, fix)] if code else [])
