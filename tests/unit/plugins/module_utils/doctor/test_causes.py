# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _causes
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._app_logs import AppLog
from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
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
