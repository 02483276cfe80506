# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _server
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import Process
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server_options import Options

MAPS = """\
55d0-55d1 r-xp 00000000 00:79 1  /usr/bin/uwsgi
7f00-7f01 r-xp 00000000 00:79 2  /usr/lib/uwsgi/plugins/python311_plugin.so
7f02-7f03 r-xp 00000000 00:79 3  /usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0
"""


def judged(served=True, **options):
    process = Process(**{"pid": 7, "kind": "uwsgi", "environment": "/venv", "python": "3.11", "made_for": "3.11.2", **options})
    found = _server.judge(process, "unix:/run/shop.sock", served, 4096, "systemctl restart shop")
    return [(finding.severity, finding.code) for finding in found]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, ""),
        ({"made_for": "3.11.9"}, ""),
        ({"made_for": ""}, ""),
        ({"environment": ""}, ""),
        ({"backlog": 4096}, ""),
        ({"made_for": "3.9.2"}, "python_mismatch"),
        ({"dangling": "/usr/bin/python3.9"}, "venv_broken"),
        ({"missing_plugins": ("python99",)}, "plugin_missing"),
        ({"unfit_plugins": ("/p.so was built for uWSGI 2.0.21",)}, "plugin_unfit"),
        ({"backlog": 5000}, "backlog_over_somaxconn"),
    ],
)
@pytest.mark.parametrize(("served", "severity"), [(True, "warning"), (False, "broken")])
def test_a_server_is_judged(options, code, served, severity):
    assert judged(served, **options) == ([(severity, code)] if code else [])


@pytest.mark.parametrize("kind", ["configuration", "code", "packages"])
def test_a_process_older_than_its_files_is_noticed(kind):
    assert judged(newer=((kind, "/srv/shop/file", 5.0),)) == [("warning", f"older_than_{kind}")]


def test_a_process_older_than_its_programs_is_noticed():
    assert judged(replaced=("/usr/bin/uwsgi",)) == [("warning", "older_than_program")]


@pytest.mark.parametrize(
    ("maps", "version"),
    [
        (MAPS, "3.11"),
        ("1-2 r-xp 0 0:1 1 /usr/bin/python3.13\n", "3.13"),
        ("1-2 r-xp 0 0:1 1 /usr/bin/python3.9 (deleted)\n", "3.9"),
        ("1-2 r-xp 0 0:1 1 /opt/py/lib/python3.12/lib-dynload/x.so\n", "3.12"),
        ("1-2 r-xp 0 0:1 1 /usr/bin/nginx\n", ""),
    ],
)
def test_the_python_in_memory_is_told(maps, version):
    assert _server.python_in(maps) == version


@pytest.mark.parametrize(
    ("pids", "main"),
    [([], 0), ([1], 0), ([1, 10, 11, 12], 10), ([11, 12], 11)],
)
def test_the_main_process_is_the_one_that_started_the_others(pids, main):
    everybody = {(1, 0): 0, (10, 5): 1, (11, 6): 10, (12, 7): 10}
    assert _server.main_of(pids, everybody) == main


def test_the_newest_code_is_found_and_environments_are_no_code(tmp_path):
    for place, name in enumerate(["a.py", "sub/b.py", "venv/c.py", ".git/d.py", "static/e.py", "f.txt"]):
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (1000 + place, 1000 + place))
    (tmp_path / "app/venv/pyvenv.cfg").write_text("")
    found = _server.newest(str(tmp_path / "app"))
    assert found == [(str(tmp_path / "app/sub/b.py"), 1001), (str(tmp_path / "app/a.py"), 1000)]


@pytest.mark.parametrize("directory", ["/", "/srv", "/nowhere/at/all"])
def test_what_is_no_apps_directory_is_not_searched(directory):
    assert _server.newest(directory) == []


def test_files_newer_than_the_process_are_those_of_after_its_start(tmp_path):
    ini, code, unit = tmp_path / "shop.ini", tmp_path / "app/wsgi.py", tmp_path / "shop.service"
    code.parent.mkdir()
    for path in (ini, code, unit):
        path.write_text("")
    now = time.time()
    newer = _server._newer
    shop = {"FragmentPath": str(unit)}
    early = {kind for kind, _path, _when in newer(now - 60, now - 60, [str(ini)], shop, str(code.parent), "")}
    reloaded = [path for _kind, path, _when in newer(now - 60, now + 1, [str(ini)], shop, str(code.parent), "")]
    assert early == {"configuration", "code"}
    assert reloaded == [str(unit)]  # what a reload does not read
    assert list(newer(now, now, [str(ini)], shop, str(code.parent), "")) == []
    os.utime(ini, (now + 999, now + 999))
    assert str(ini) not in {path for _kind, path, _when in newer(now - 60, now, [str(ini)], {}, "/", "")}  # a wrong clock


@pytest.mark.parametrize(
    ("options", "words", "environ", "maps"),
    [
        ({"home": ["{0}"]}, [], {}, ""),
        ({"virtualenv": ["venv"]}, [], {}, ""),
        ({}, ["{0}/bin/python3", "{0}/bin/gunicorn"], {}, ""),
        ({}, [], {"VIRTUAL_ENV": "{0}"}, ""),
        ({}, [], {}, "1-2 r--p 0 0:1 1 {0}/lib/python3.11/site-packages/x.so\n"),
    ],
)
def test_the_virtual_environment_is_found(tmp_path, options, words, environ, maps):
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").write_text("version = 3.11.2\n")
    found = _server._environment(
        Options("uwsgi", {key: [value.format(venv) for value in values] for key, values in options.items()}),
        [word.format(venv) for word in words],
        {key: value.format(venv) for key, value in environ.items()},
        maps.format(venv),
        str(tmp_path),
    )
    assert found == str(venv)
    assert _server._made_for(found) == "3.11.2"


def test_an_interpreter_that_is_gone_is_noticed(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to("python")
    (tmp_path / "bin/python").symlink_to("/nowhere/python3.9")
    assert _server._dangling(str(tmp_path)) == "/nowhere/python3.9"
    assert _server._dangling("") == ""


def test_the_python_of_a_plugin_is_in_its_file(tmp_path):
    (tmp_path / "a.so").write_bytes(b"\x7fELF\0libc.so.6\0libpython3.11.so.1.0\0")
    assert _server.linked_python(str(tmp_path / "a.so")) == "3.11"
    assert _server.linked_python(str(tmp_path / "none")) == ""
