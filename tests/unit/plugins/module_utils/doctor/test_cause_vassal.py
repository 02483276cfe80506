# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_vassal
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Starter

LOG = """[uWSGI] getting INI configuration from shop.ini
ValueError: old
[uWSGI] getting INI configuration from blog.ini
ValueError: of the blog
[uWSGI] getting INI configuration from shop.ini
ModuleNotFoundError: No module named 'shop'
[uWSGI] getting INI configuration from blog.ini
"""


def test_the_lines_of_a_vassal_are_found_in_the_log_of_its_emperor():
    assert _cause_vassal.of_vassal(LOG, "/etc/uwsgi/vassals/shop.ini").splitlines()[1:] == [
        "ModuleNotFoundError: No module named 'shop'"
    ]
    assert _cause_vassal.of_vassal(LOG, "/etc/uwsgi/vassals/op.ini") == ""


def test_what_the_emperor_says_of_others_is_not_a_vassals():
    log = f"{LOG}[emperor-tyrant] invalid permissions for vassal root.ini\n[uWSGI] getting INI configuration from shop.ini\n"
    assert "root.ini" not in _cause_vassal.of_vassal(log, "/etc/uwsgi/vassals/blog.ini")
    # It has just started once more.
    assert "ModuleNotFoundError" in _cause_vassal.of_vassal(log, "/etc/uwsgi/vassals/shop.ini")


def test_a_vassals_file_that_was_moved_is_found(tmp_path):
    (tmp_path / "deploy/new").mkdir(parents=True)
    (tmp_path / "deploy/new/uwsgi.ini").write_text("")
    vassal = Starter("emperor.service", vassal="/etc/uwsgi/vassals/shop.ini", dangling=f"{tmp_path}/uwsgi.ini")
    (found,) = _cause_vassal.judge_dangling([vassal], "/run/emp/shop.sock", "shop.test")
    assert found.fix == f"ln -sfn {tmp_path}/deploy/new/uwsgi.ini /etc/uwsgi/vassals/shop.ini"


@pytest.mark.parametrize(
    ("unit", "active", "log", "expected"),
    [
        ("emperor.service", False, None, []),
        ("emperor.service", True, None, [("vassal_ended", "touch --no-create /nowhere/shop.ini")]),
        ("emperor.service", True, Why("ValueError", "Correct it."), [("vassal_failed", "Correct it.")]),
        ("uwsgi.service", False, None, []),
        ("uwsgi.service", True, None, [("vassal_ended", "systemctl restart uwsgi")]),
    ],
)
def test_a_vassal_that_does_not_run(unit, active, log, expected):
    found = _cause_vassal.judge(unit, "/nowhere/shop.ini", "unix:/run/shop.sock", active, False, log, ())
    assert [(each.code, each.fix) for each in found] == expected


def test_a_tyrant_starts_no_vassal_of_roots(tmp_path, monkeypatch):
    path = tmp_path / "shop.ini"
    path.write_text("[uwsgi]\nuid = daemon\n")
    monkeypatch.setattr(_cause_vassal, "_owned", lambda path: 0)
    (found,) = _cause_vassal.judge("emperor.service", str(path), "unix:/run/shop.sock", True, True, None, ())
    assert (found.code, found.fix) == ("vassal_of_root", f"chown daemon {path}")


@pytest.mark.parametrize(
    ("address", "site", "meant"),
    [
        ("/run/emp/shop.sock", "other.test", True),
        ("/run/shop/app.sock", "other.test", True),
        ("/run/emp/app.sock", "shop.test", True),
        ("/run/emp/blog.sock", "blog.test", False),
    ],
)
def test_a_vassal_whose_link_leads_nowhere_is_meant_by_its_name(address, site, meant):
    vassal = Starter("emperor.service", vassal="/etc/uwsgi/vassals/shop.ini", dangling="/srv/shop.ini")
    found = _cause_vassal.judge_dangling([vassal], address, site)
    assert [each.code for each in found] == ["vassal_dangling"] * meant
