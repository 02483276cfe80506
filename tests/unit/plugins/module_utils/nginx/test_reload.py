# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._reload import own_listener

LISTENERS = [
    Listener("unix:/run/x:5000", 0, 10, (7,)),
    Listener("0.0.0.0:80", 0, 10, (7, 8)),
    Listener("127.0.0.1:5000", 0, 10, (7, 8)),
    Listener("127.0.0.1:5001", 0, 10, (9,)),
]


@pytest.mark.parametrize(
    ("cause", "address"),
    [
        ("bind() to [::]:5000 failed (98: Address already in use)", "127.0.0.1:5000"),
        ("bind() to 0.0.0.0:5000 failed (98: Address already in use)", "127.0.0.1:5000"),
        ("bind() to 0.0.0.0:5001 failed (98: Address already in use)", None),
        ("bind() to 0.0.0.0:5002 failed (98: Address already in use)", None),
        ("bind() to 0.0.0.0:80 failed (13: Permission denied)", None),
        ("no new worker process within 15 s", None),
    ],
)
def test_a_port_that_nginx_has_itself_is_told_from_others(cause, address):
    assert own_listener(cause, LISTENERS, 7) == address
