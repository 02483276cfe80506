# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a plugin's file is, and which uWSGI it was built for."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _file, _stamp
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core


@pytest.fixture
def core(tmp_path):
    return Core("2.0.28-debian", "fd03", ("-DA",), str(tmp_path))


@pytest.fixture
def host(monkeypatch):
    """A host on which programs print texts; by default, no file belongs to a package."""

    def prints(**texts):
        def run(argv, **_more):
            return Completed(tuple(argv), 0, texts.get(argv[0].replace("-", "_"), ""))

        monkeypatch.setattr(_file, "run", run)

    prints()
    return prints


@pytest.fixture
def plugin(core):
    """Writes a plugin's file."""

    def write(name, version=None, **stamp):
        data = b"\x7fELF\0" + (version.encode() if version else b"") + b"\0"
        path = f"{core.directory}/{name}_plugin.so"
        with open(path, "wb") as stream:
            stream.write(_stamp.add(data, stamp) if stamp else data)
        return path

    return write


def test_a_file_for_another_core_is_a_leftover(core, host, plugin):
    plugin("ours", uwsgi=core.key)
    plugin("python311", "2.0.28-debian")
    plugin("cheaper_busyness", "4.100.1")
    plugin("http", "1.2.13")
    plugin("silent")
    wanted = {
        plugin("hand", "2.0.21-debian"): "it was built for uWSGI 2.0.21-debian, and uWSGI 2.0.28-debian is installed",
        plugin("old", uwsgi={**core.key, "version": "2.0.21-debian"}): (
            "it was built for uWSGI 2.0.21-debian, and uWSGI 2.0.28-debian is installed"
        ),
        plugin("rebuilt", uwsgi={**core.key, "header": "0000"}): (
            "it was built for another build of uWSGI 2.0.28-debian, and uWSGI 2.0.28-debian is installed"
        ),
        plugin("odd", stamp="without a core"): (
            "it was built for uWSGI of an unknown version, and uWSGI 2.0.28-debian is installed"
        ),
    }
    found = {leftover["path"]: leftover["message"] for leftover in _file.leftovers(core)}
    assert found == wanted
    assert all(_file.problem(path, core).startswith(f"{path} was built for ") for path in wanted)
    good = [f"{core.directory}/{name}_plugin.so" for name in ("ours", "python311", "http", "silent", "not_there")]
    assert [_file.problem(path, core) for path in good] == [""] * len(good)


def test_a_packages_file_is_dpkgs_affair(core, host, plugin):
    path = plugin("python311", "2.0.21-debian")
    host(dpkg_query=f"uwsgi-plugin-python3: {path}\n")
    assert _file.leftovers(core) == []
    assert _file.problem(path, core) == ""


def test_the_owners_of_files(host):
    host(
        dpkg_query="diversion by dash from: /p/d.so\nuwsgi-core: /p/a.so\nlibx:amd64: /p/b.so\none, two: /p/c.so\n"
        "dpkg-query: no path found matching pattern /p/e.so\n"
    )
    wanted = {"/p/a.so": "uwsgi-core", "/p/b.so": "libx", "/p/c.so": "one"}
    assert _file.owners(["/p/a.so", "/p/b.so", "/p/c.so", "/p/e.so"]) == wanted
    assert _file.owners([]) == {}


def test_a_file_that_others_may_write_to_is_not_as_it_was(plugin):
    path = plugin("python39")
    os.chmod(path, 0o666)
    assert "mode 0666" in _file.wrong_permissions(path)[0]
