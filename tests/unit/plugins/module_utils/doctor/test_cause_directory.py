# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_directory
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence

UNIT = {"Id": "shop.service", "RuntimeDirectory": ""}


def why(path, unit=None, user="daemon"):
    return _cause_directory.why(str(path), user, "daemon", unit, "systemctl restart shop")


def test_a_directory_below_run_is_made_at_each_start():
    found = why("/run/nowhere-shop/app.sock", UNIT)
    assert found.code == "socket_directory_missing"
    assert "printf '[Service]\\nRuntimeDirectory=nowhere-shop\\n'" in found.fix
    assert why("/run/nowhere-shop/app.sock", {**UNIT, "RuntimeDirectory": "nowhere-shop"}) is None


def test_without_a_unit_of_its_own_it_is_made_at_each_boot():
    found = why("/run/nowhere-shop/app.sock")
    assert "'d /run/nowhere-shop 0755 daemon daemon -\\n' > /etc/tmpfiles.d/nowhere-shop.conf" in found.fix
    assert found.fix.endswith("&& systemctl restart shop")


def test_a_directory_on_the_disk_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(_cause_directory._untrusted, "is_roots_alone", lambda path: True)
    assert why(tmp_path / "run/app.sock").fix.startswith(f"install -d -o daemon -g daemon -m 755 {tmp_path}/run && ")
    monkeypatch.setattr(_cause_directory._untrusted, "is_roots_alone", lambda path: False)
    assert is_sentence(why(tmp_path / "run/app.sock").fix)


@pytest.mark.parametrize(("mode", "user", "closed"), [(0o755, "daemon", True), (0o777, "daemon", False), (0o755, "root", False)])
def test_a_directory_that_the_servers_user_may_not_write_to(tmp_path, mode, user, closed):
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    found = why(tmp_path / "run/app.sock", UNIT, user)
    assert (found.code if found else None) == ("socket_directory_closed" if closed else None)


@pytest.mark.parametrize(("other", "preserved", "found"), [("shop", "no", True), ("shop", "yes", False), ("blog", "no", False)])
def test_a_runtime_directory_of_two_units(monkeypatch, other, preserved, found):
    known = {"worker.service": {"RuntimeDirectory": other, "RuntimeDirectoryPreserve": preserved}}
    monkeypatch.setattr(_cause_directory._systemd, "show", lambda units, names: known)
    result = _cause_directory.shared({**UNIT, "RuntimeDirectory": "shop"}, "/run/shop/app.sock", ["worker.service"])
    assert bool(result) is found
    if result:
        assert result.fix.count("RuntimeDirectoryPreserve=yes") == 2
        assert result.fix.endswith("systemctl daemon-reload && systemctl restart shop")
