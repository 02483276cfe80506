# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of compiled modules."""

from __future__ import annotations

import importlib.util
import inspect
import os
import zipfile
import zipimport

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils._bytecode import PACKAGE, Bytecode, Finder, kept

PATH = PACKAGE.replace(".", "/")


@pytest.fixture
def load(tmp_path):
    """Loads a module from an archive with these sources, and returns it with the bytecode, which has been saved."""
    path = tmp_path / "modules.pyc"

    def load(name, sources, path=path):
        archive = tmp_path / f"{len(list(tmp_path.iterdir()))}.zip"
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr(f"{PATH}__init__.py", "")
            for file, source in sources.items():
                content.writestr(f"{PATH}{file}", source)
        bytecode = Bytecode(str(path))
        finder = Finder(zipimport.zipimporter(f"{archive}/{PATH}"), bytecode)
        spec = finder.find_spec(f"{PACKAGE}{name}", None)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        bytecode.save()
        return module, bytecode

    load.path = path
    return load


def test_what_was_compiled_is_not_compiled_again(load, monkeypatch):
    first, bytecode = load("_one", {"_one.py": "X = 1"})
    assert first.X == 1
    assert not bytecode.complete
    assert load.path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr("builtins.compile", None)
    second, bytecode = load("_one", {"_one.py": "X = 1"})
    assert second.X == 1
    assert bytecode.complete


def test_a_changed_source_is_used_and_what_the_former_version_left_goes(load):
    load("_one", {"_one.py": "X = 1"})
    load("_two", {"_two.py": "Y = 1"})
    assert {*Bytecode(str(load.path)).kept} == {f"{PACKAGE}_one", f"{PACKAGE}_two"}
    changed, _bytecode_then = load("_one", {"_one.py": "X = 2"})
    assert changed.X == 2
    assert {*Bytecode(str(load.path)).kept} == {f"{PACKAGE}_one"}
    assert load("_one", {"_one.py": "X = 2"})[0].X == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:40] + b"\0" + data[41:], lambda data: b""])
def test_a_damaged_file_is_not_loaded_and_is_replaced(load, damage):
    load("_one", {"_one.py": "X = 1"})
    whole = load.path.read_bytes()
    load.path.write_bytes(damage(whole))
    assert Bytecode(str(load.path)).kept == {}
    assert load("_one", {"_one.py": "X = 1"})[0].X == 1
    assert Bytecode(str(load.path)).kept


def test_another_python_reads_nothing_of_it(load, monkeypatch):
    load("_one", {"_one.py": "X = 1"})
    monkeypatch.setattr(importlib.util, "MAGIC_NUMBER", b"other")
    assert Bytecode(str(load.path)).kept == {}


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_nothing_is_read_or_written_where_others_can_write(load, mode):
    load("_one", {"_one.py": "X = 1"})
    before = load.path.read_bytes()
    load.path.parent.chmod(mode)
    assert Bytecode(str(load.path)).kept == {}
    load("_two", {"_two.py": "Y = 1"})
    assert load.path.read_bytes() == before


@pytest.mark.parametrize("place", ["the directory", "the file"])
def test_nothing_is_read_of_what_somebody_else_owns(load, monkeypatch, place):
    load("_one", {"_one.py": "X = 1"})
    owner = os.geteuid()
    answers = iter([owner + (place == "the directory"), owner + (place == "the file")])
    monkeypatch.setattr(os, "geteuid", lambda: next(answers))
    assert Bytecode(str(load.path)).kept == {}


def test_nothing_is_kept_on_a_host_without_the_directory(load, tmp_path):
    path = tmp_path / "none" / "modules.pyc"
    assert load("_one", {"_one.py": "X = 1"}, path)[0].X == 1
    assert not path.parent.exists()


def test_modules_are_what_they_are_without_it(load):
    sources = {"host/__init__.py": "Z = 1", "host/_files.py": "def write():\n    return 'ä'\n"}
    package, _bytecode_then = load("host", sources)
    load("host._files", sources)
    module, bytecode = load("host._files", sources)
    assert bytecode.complete
    assert package.__path__ == [os.path.dirname(package.__file__)]
    assert module.__file__.endswith(f".zip/{PATH}host/_files.py")
    assert module.__package__ == f"{PACKAGE}host"
    assert inspect.getsource(module) == sources["host/_files.py"]
    assert module.write.__code__.co_filename == module.__file__


def test_others_are_found_by_others(tmp_path):
    archive = tmp_path / "some.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("os.py", "")
    finder = Finder(zipimport.zipimporter(str(archive)), Bytecode(str(tmp_path / "modules.pyc")))
    assert finder.find_spec("os", None) is None
    assert finder.find_spec(f"{PACKAGE}_missing", None) is None


def test_a_module_that_fails_keeps_its_bytecode_and_fails_for_nothing_else(monkeypatch, tmp_path):
    bytecode = Bytecode(str(tmp_path / "modules.pyc"))
    monkeypatch.setattr(_bytecode, "BYTECODE", bytecode)

    @kept
    def main():
        bytecode.code("name", b"", "name.py")
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        main()
    assert {*Bytecode(bytecode.path).kept} == {"name"}
    bytecode.path, bytecode.complete = str(tmp_path / "directory"), False
    (tmp_path / "directory").mkdir()
    with pytest.raises(SystemExit):  # and for no other reason than that a directory cannot be replaced by a file
        main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "modules.pyc"]
