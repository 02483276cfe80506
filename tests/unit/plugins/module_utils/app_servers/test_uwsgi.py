# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins' names, and what a uWSGI of the app's own build takes."""

from __future__ import annotations

import re

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve

PYTHON = {
    "version": "3.12.1",
    "implementation": "CPython",
    "prefix": "/usr",
    "library": "/usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0",
    "gil": True,
    "debug": False,
}
SHOP = {"name": "shop", "source": {"git": "https://git.example.com/shop.git"}, "entry_point": "shop.wsgi:application"}


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, "python312"),
        ({"version": "3.9.2"}, "python39"),
        ({"gil": False}, "python312t"),
        ({"debug": True}, "python312d"),
        ({"gil": False, "debug": True}, "python312td"),
        ({"version": "3.9.16", "implementation": "PyPy"}, "pypy39"),
        ({"prefix": "/usr/local"}, "python312_usr_local"),
        ({"prefix": "/opt/python-3.12"}, "python312_opt_python_3_12"),
        ({"prefix": "/opt/pythön"}, "python312_opt_pyth_n"),
    ],
)
def test_a_plugin_is_named_after_its_interpreter(facts, name):
    assert _uwsgi.plugin_name({**PYTHON, **facts}) == name
    assert re.fullmatch(r"[a-z]\w*", name, re.ASCII)


def test_what_is_linked_with_an_interpreter_elsewhere_looks_there_for_its_library():
    assert _uwsgi.linker_flags(PYTHON) == ""
    elsewhere = {**PYTHON, "prefix": "/opt/python", "library": "/opt/python/lib/libpython3.12.so.1.0"}
    assert _uwsgi.linker_flags(elsewhere) == "-L/opt/python/lib -Wl,-rpath,/opt/python/lib"
    assert _uwsgi.linker_flags({**elsewhere, "library": ""}) == ""


@pytest.mark.parametrize(
    ("python", "package"),
    [("python3", "libpython3-dev"), ("python3.13", "libpython3.13-dev"), ("/usr/bin/python3.9", "libpython3.9-dev")],
)
def test_a_uwsgi_that_is_compiled_takes_the_headers_of_the_distributions_python(python, package):
    (app,) = _resolve.resolve([{**SHOP, "python": python, "uwsgi_install_from": "venv", "system_packages": ["libpq-dev"]}])
    assert package in app["system_packages"]
    assert {"gcc", "libpcre2-dev", "libpq-dev"} < set(app["system_packages"])


def test_an_interpreter_from_elsewhere_brings_its_own_headers():
    (app,) = _resolve.resolve([{**SHOP, "python": "/opt/python/bin/python3.13"}], uwsgi_install_from="venv")
    assert "gcc" in app["system_packages"]
    assert not [name for name in app["system_packages"] if "python" in name]


def test_the_distributions_uwsgi_takes_nothing_from_the_build():
    (app,) = _resolve.resolve([SHOP])
    assert app["system_packages"] == []
    assert _uwsgi.requirements(app) == []
    assert _uwsgi.program(app, {"path": "/x"}) == "/usr/bin/uwsgi"


def test_an_app_that_sleeps_is_given_its_socket():
    build = {"path": "/srv/wsgi/shop/builds/x", "python": PYTHON}
    host = {"processors": 2, "backlog": 4096}
    apps = _resolve.resolve(
        [{**SHOP, "name": "stays"}, {**SHOP, "name": "sleeps", "mount": "/sleeps", "idle": 60}], "uwsgi_emperor"
    )
    serves = [" ".join(_uwsgi.start(app, build, "/srv/wsgi/x/releases/1")) for app in apps]
    texts = [_uwsgi.configuration(app, build, host) for app in apps]
    assert [' --socket "/run/wsgi/stays/$1.sock"' in serves[0], "--socket" in serves[1]] == [True, False]
    assert ["die-on-idle = true\n" in text for text in texts] == [False, True]
    assert "idle = 60\n" in texts[1]
    assert set(texts[0].splitlines()) - set(texts[1].splitlines()) >= {"vacuum = true", "chmod-socket = 666"}
