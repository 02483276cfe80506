# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _server
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server_options import Options

MAPS = """\
55d0-55d1 r-xp 00000000 00:79 1  /usr/bin/uwsgi
7f00-7f01 r-xp 00000000 00:79 2  /usr/lib/uwsgi/plugins/python311_plugin.so
7f02-7f03 r-xp 00000000 00:79 3  /usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0
"""


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
