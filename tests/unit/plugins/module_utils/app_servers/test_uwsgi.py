# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins' names, and what a uWSGI of the app's own build takes."""

from __future__ import annotations

import re

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported
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


def test_the_configuration_of_an_app_that_sleeps():
    build = {"path": "/srv/wsgi/shop/builds/x", "python": PYTHON}
    host = {"processors": 2, "backlog": 4096}
    apps = _resolve.resolve(
        [{**SHOP, "name": "stays"}, {**SHOP, "name": "sleeps", "mount": "/sleeps", "idle": 60}], "uwsgi_emperor"
    )
    texts = [set(_uwsgi.configuration(app, build, host, Imported()).splitlines()) for app in apps]
    assert texts[1] - texts[0] >= {"idle = 60", "die-on-idle = true"}
    assert not [line for text in texts for line in text if line.startswith(("socket", "chmod-socket", "vacuum"))]


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({}, 3),
        ({"processes": 1}, 1),
        ({"processes": 8, "server_options": {"cheaper": 2}}, 2),
        ({"processes": 8, "server_options": {"cheaper": 2, "cheaper-initial": "4"}}, 4),
        ({"processes": 2, "server_options": {"cheaper": 4}}, 2),
        ({"server_options": {"cheap": True}}, 1),
        ({"server_options": {"thunder-lock": True}}, 1),
        ({"server_options": {"thunder-lock": False}}, 3),
    ],
)
def test_how_many_workers_answer(keys, count):
    assert _uwsgi.workers(_resolve.resolve([{**SHOP, **keys}])[0], {"processors": 3, "backlog": 128}) == count


@pytest.mark.parametrize(("options", "early"), [({}, True), ({"lazy": True}, False), ({"lazy-apps": False}, False)])
def test_an_app_is_loaded_before_the_fork_unless_somebody_has_decided(options, early):
    assert _uwsgi.loads_before_fork(_resolve.resolve([{**SHOP, "server_options": options}])[0]) is early


def test_an_asgi_application_needs_another_stack():
    (app,) = _resolve.resolve([SHOP])
    assert _uwsgi.refusal(app, Imported()) == ""
    assert _uwsgi.refusal(app, Imported("asgi")).startswith("is an ASGI application, and uWSGI serves WSGI only; set stack: guni")


@pytest.mark.parametrize("router", ["fastrouter", "http", "rawrouter", "sslrouter"])
def test_every_spelling_of_the_stats_of_a_router_opens_a_socket(router):
    assert {f"{router}-stats", f"{router}-stats-server", f"{router}-ss"} <= _uwsgi.BINDING_OPTIONS - _uwsgi.OWN_OPTIONS


def test_an_option_that_no_plugin_has_brought_is_explained():
    found = _uwsgi.advice("[strict-mode] unknown config directive: gevent")
    assert found.startswith("correct gevent in server_options; if a plugin has that option, set need-plugins, and add ")
    assert _uwsgi.advice("RuntimeError: no database") == ""
