# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a virtual environment fits the interpreter that it leads to."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._once import Once
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _preflight

INTERPRETER = {"executable": "/usr/bin/python3.11", "version": "3.11.2", "library": ""}


@pytest.mark.parametrize("version", ["3.11.2", "3.11.14", "3.11"])
def test_the_third_number_may_differ(version):
    assert _preflight.environment_mismatch(version, INTERPRETER) is None


@pytest.mark.parametrize("version", ["3.9.2", "3.1.1", "unknown"])
def test_another_language_version_is_named_with_the_interpreters(version):
    assert _preflight.environment_mismatch(version, INTERPRETER) == (
        f"the virtual environment was made for Python {version} (pyvenv.cfg), but the app's interpreter"
        " /usr/bin/python3.11 is 3.11.2; change the app's source or packages, which makes a new build."
    )


@pytest.mark.parametrize(
    ("configuration", "version"),
    [
        ("home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\nexecutable = /usr/bin/python3.11\n", "3.11.2"),
        ("home = /usr/bin\nimplementation = CPython\nuv = 0.13.8\nversion_info = 3.13.5\nprompt = shop\n", "3.13.5"),
        ("home = /usr/bin\n", "unknown"),
    ],
)
def test_a_virtual_environment_says_what_it_was_made_for(configuration, version):
    assert _preflight.environment_version(configuration) == version


@pytest.mark.parametrize(
    ("release", "called"),
    [
        ({"protocol": "uwsgi", "plugin": "python311", "program": "/usr/bin/uwsgi"}, ["plugin python311"]),
        ({"protocol": "uwsgi", "plugin": None, "program": "/bin/sh"}, ["program /bin/sh"]),
        ({"protocol": "http", "plugin": None, "program": "/bin/sh"}, []),
        ({"protocol": "http", "plugin": None, "program": "/none"}, ["the release has no /none"]),
        ({"protocol": "uwsgi", "plugin": None, "program": "/none"}, ["the release has no /none"]),
        ({"protocol": "http", "plugin": None, "program": "/bin/sh", "writable_paths": ["/dev/shm"]}, []),
        (
            {"protocol": "http", "plugin": None, "program": "/bin/sh", "writable_paths": ["/dev/shm", "/none"]},
            ["/none is not a directory on this host, or user shop does not get there"],
        ),
    ],
)
def test_the_release_says_what_is_checked(monkeypatch, tmp_path, release, called):
    source = {"package": "shop"}
    (app,) = _resolve.resolve([{"name": "shop", "source": source, "entry_point": "shop:app"}], directory=str(tmp_path))
    layout = _layout.of(app)
    os.makedirs(layout.release(1))
    content = {"writable_paths": [], **release, "build": {"path": "/build"}}
    Path(layout.release(1), "release.json").write_text(json.dumps(content))
    calls = []
    monkeypatch.setattr(Sandbox, "run", lambda self, commands, timeout: run(commands[0], timeout=timeout))
    monkeypatch.setattr(_preflight, "_check_environment", lambda venv, sandbox: INTERPRETER)
    monkeypatch.setattr(_preflight, "_check_plugin", lambda name, interpreter: calls.append(f"plugin {name}"))
    monkeypatch.setattr(_preflight._embedded_python, "of_program", lambda program, *_args: calls.append(f"program {program}"))
    try:
        _preflight.check(app, 1)
    except StackError as failure:
        calls.append(failure.cause.partition(";")[0])
    assert calls == called


def test_a_directory_whose_mode_was_changed_is_named(tmp_path):
    for mode, name in ((0o751, "open"), (0o700, "closed"), (0o701, "later")):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    paths = [str(tmp_path / name) for name in ("none", "open", "closed", "later")]
    assert _preflight.first_closed(paths) == paths[2]
    assert _preflight.first_closed(paths[:2]) == ""


def test_a_place_where_no_program_can_be_run_is_named(monkeypatch):
    (app,) = _resolve.resolve([{"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app"}])
    monkeypatch.setattr(_preflight._release, "read", lambda layout, number: {"writable_paths": [], "build": {"path": "/build"}})
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_NOEXEC | os.ST_NOSUID))
    with pytest.raises(StackError, match="/srv/wsgi/shop is on a file system that is mounted with noexec; no program of a build"):
        _preflight.check(app, 1)


@pytest.mark.parametrize("answer", [None, ("it does not load", "log"), StackError("plugin", "no sandbox")])
def test_a_plugin_is_loaded_once_for_all_apps(monkeypatch, answer):
    calls = []

    def of_plugin(path, interpreter):
        calls.append(path)
        if isinstance(answer, StackError):
            raise answer
        return answer

    monkeypatch.setattr(_preflight, "_plugins", Once())
    monkeypatch.setattr(_preflight._embedded_python, "of_plugin", of_plugin)

    def ask(path):
        try:
            return _preflight._unfit(path, INTERPRETER)
        except StackError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, ["/a.so"] * 8 + ["/b.so"])) == [answer] * 9
    assert sorted(calls) == ["/a.so", "/b.so"]
