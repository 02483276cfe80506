# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_unread
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_programs, _starter_vassals
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Starter, Text

SOCKET = "/run/vassals/shop.sock"


@pytest.fixture(autouse=True)
def no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    monkeypatch.setattr(_cause_unread, "DEBIAN_AVAILABLE", f"{tmp_path}/apps-available")
    monkeypatch.setattr(_starter_vassals, "DEBIAN_APPS", f"{tmp_path}/apps-enabled")
    monkeypatch.setattr(_starter_programs, "MAIN", (f"{tmp_path}/supervisord.conf",))
    for name in ("vassals", "apps-available", "apps-enabled", "conf.d"):
        (tmp_path / name).mkdir()


def found(tmp_path, address):
    emperor = Starter("emperor.service", texts=(Text(f"/usr/bin/uwsgi --emperor {tmp_path}/vassals"),))
    return [(each.code, each.fix.replace(str(tmp_path), "")) for each in _cause_unread.judge(address, [emperor])]


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("shop.conf", f"[uwsgi]\nsocket = {SOCKET}\n", "mv -n -T /vassals/shop.conf /vassals/shop.ini"),
        ("shop", f"[uwsgi]\nsocket = {SOCKET}\n", "mv -n -T /vassals/shop /vassals/shop.ini"),
        ("shop.bak", f"[uwsgi]\nsocket = {SOCKET}\n", None),
        ("shop.ini", f"[uwsgi]\nsocket = {SOCKET}\n", None),
        ("shop.conf", "[uwsgi]\nsocket = /run/other.sock\n", None),
        ("shop.conf", f"server {SOCKET};\n", None),
    ],
)
def test_a_vassal_with_a_wrong_ending_is_found(tmp_path, name, text, fix):
    (tmp_path / "vassals" / name).write_text(text)
    assert found(tmp_path, SOCKET) == ([("vassal_not_read", fix)] if fix else [])


@pytest.mark.parametrize(("enabled", "count"), [(False, 1), (True, 0)])
def test_an_app_of_debians_uwsgi_without_a_link_is_found(tmp_path, enabled, count):
    (tmp_path / "apps-available/shop.ini").write_text("[uwsgi]\n")
    if enabled:
        (tmp_path / "apps-enabled/shop.ini").symlink_to("../apps-available/shop.ini")
    fix = "ln -s ../apps-available/shop.ini /apps-enabled/shop.ini && systemctl restart uwsgi"
    assert found(tmp_path, "/run/uwsgi/app/shop/socket") == [("vassal_not_read", fix)] * count


@pytest.mark.parametrize(
    ("name", "pattern", "fix"),
    [
        ("shop.ini", "*.conf", "mv -n -T /conf.d/shop.ini /conf.d/shop.conf && supervisorctl update shop"),
        ("shop.ini", "s*.conf", "Rename /conf.d/shop.ini so that it is read, then run: "),
        ("shop.conf", "*.conf", None),
        ("shop.ini~", "*.conf", None),
    ],
)
def test_a_file_that_supervisor_does_not_include_is_found(tmp_path, name, pattern, fix):
    (tmp_path / "supervisord.conf").write_text(f"[include]\nfiles = conf.d/{pattern}\n")
    (tmp_path / "conf.d" / name).write_text("[program:shop]\ncommand = gunicorn --bind 127.0.0.1:8000 app\n")
    assert [code for code, _fix in found(tmp_path, "127.0.0.1:8000")] == ["program_not_read"] * bool(fix)
    assert fix is None or found(tmp_path, "127.0.0.1:8000")[0][1].startswith(fix)
    assert found(tmp_path, "127.0.0.1:8001") == []
