# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _newer_files


def test_the_newest_code_is_found_and_environments_are_no_code(tmp_path):
    for place, name in enumerate(["a.py", "sub/b.py", "venv/c.py", ".git/d.py", "static/e.py", "f.txt"]):
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (1000 + place, 1000 + place))
    (tmp_path / "app/venv/pyvenv.cfg").write_text("")
    found = _newer_files.newest(str(tmp_path / "app"))
    assert found == [(str(tmp_path / "app/sub/b.py"), 1001), (str(tmp_path / "app/a.py"), 1000)]


@pytest.mark.parametrize("directory", ["/", "/srv", "/nowhere/at/all"])
def test_what_is_no_apps_directory_is_not_searched(directory):
    assert _newer_files.newest(directory) == []


def test_files_newer_than_the_process_are_those_of_after_its_start(tmp_path):
    ini, code, unit = tmp_path / "shop.ini", tmp_path / "app/wsgi.py", tmp_path / "shop.service"
    code.parent.mkdir()
    for path in (ini, code, unit):
        path.write_text("")
    now = time.time()
    newer = _newer_files.newer
    shop = {"FragmentPath": str(unit)}
    early = {kind for kind, _path, _when in newer(now - 60, now - 60, [str(ini)], shop, str(code.parent), "")}
    reloaded = [path for _kind, path, _when in newer(now - 60, now + 1, [str(ini)], shop, str(code.parent), "")]
    assert early == {"configuration", "code"}
    assert reloaded == [str(unit)]  # what a reload does not read
    assert list(newer(now, now, [str(ini)], shop, str(code.parent), "")) == []
    os.utime(ini, (now + 999, now + 999))
    assert str(ini) not in {path for _kind, path, _when in newer(now - 60, now, [str(ini)], {}, "/", "")}  # a wrong clock
