# SPDX-License-Identifier: GPL-3.0-or-later
"""What interpreters say of themselves, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _interpreter
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run


class Here:
    """A sandbox that is none."""

    def run(self, commands, timeout):
        return run(commands[0], timeout=timeout)


SELF = Here()
FACTS = {name: "" if kind is str else False for name, kind in _interpreter.FACTS.items()}


@pytest.fixture
def program(tmp_path):
    """An executable that prints a text."""

    def program(text, mode=0o755):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        path.chmod(mode)
        return str(path)

    return program


def test_an_interpreter_describes_itself():
    found = _interpreter.probe(sys.executable, SELF)
    assert found["executable"] == os.path.realpath(sys.executable)
    assert found["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["cache_tag"] == sys.implementation.cache_tag
    assert os.path.basename(found["include"]).startswith(f"python{sys.version_info.major}.{sys.version_info.minor}")
    assert not found["library"] or found["library"] == os.path.realpath(found["library"])
    assert {"soabi", "prefix", "gil", "debug", "implementation"} <= set(found)


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A host whose packages have brought an interpreter, which runs this; returns its path."""
    real = tmp_path / "bin/python3.11"
    real.parent.mkdir()
    real.touch(mode=0o755)
    (tmp_path / "bin/python3").symlink_to("python3.11")
    monkeypatch.setattr(_interpreter, "PACKAGED", str(real.parent))
    monkeypatch.setattr(sys, "executable", str(real))
    monkeypatch.setitem(_interpreter.BASE_ENVIRONMENT, "PATH", f"{tmp_path / 'local'}:{real.parent}")
    return real


def test_the_packaged_one_that_runs_this_needs_no_sandbox(packaged):
    assert all(map(_interpreter.runs_this, ["python3", "python3.11", str(packaged), str(packaged.parent / "python3")]))


def test_only_another_one_is_asked_in_a_sandbox(packaged, monkeypatch):
    packaged.write_text(f"#!/bin/sh\necho '{json.dumps({**FACTS, 'version': '3.11.2'})}'\n")
    monkeypatch.setattr(_interpreter, "sandbox", lambda: pytest.fail("it was asked in a sandbox"))
    assert _interpreter.probe(str(packaged))["version"] == "3.11.2"
    monkeypatch.setattr(sys, "executable", "/another")
    with pytest.raises(pytest.fail.Exception, match="in a sandbox"):
        _interpreter.probe(str(packaged))


def test_any_other_needs_one(packaged, monkeypatch):
    other, venv, local = packaged.parent / "python3.12", packaged.parent.parent / "venv", packaged.parent.parent / "local/python3"
    other.touch(mode=0o755)
    venv.symlink_to(packaged)
    assert not any(map(_interpreter.runs_this, [str(other), str(venv), "python3.99", "", str(packaged.parent)]))
    local.parent.mkdir()
    local.symlink_to(packaged)
    assert not _interpreter.runs_this("python3"), "it is what somebody has put before it"
    packaged.chmod(0o750)
    assert not _interpreter.runs_this(str(packaged)), "its users cannot run it"
    packaged.chmod(0o755)
    assert _interpreter.runs_this(str(packaged))
    monkeypatch.setattr(sys, "executable", str(other))
    assert not _interpreter.runs_this(str(packaged))


def test_one_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StackError, match=r"there is no python3\.99 in the usual directories; add the Debian package"):
        _interpreter.probe("python3.99", SELF)
    with pytest.raises(StackError, match=r"there is no .*/python;"):
        _interpreter.probe(str(tmp_path / "python"), SELF)


def test_one_that_is_too_old_is_refused(program):
    with pytest.raises(StackError, match=r"is Python 3\.7\.3, and 3\.8 or later is needed"):
        _interpreter.probe(program(json.dumps({**FACTS, "version": "3.7.3"})), SELF)


FORGED = {
    "text": "Syntax error",
    "empty": "{}",
    "list": "[]",
    "missing": '{"version": "3.11.2"}',
    "nested": "[" * 200_000,
    "version": json.dumps({**FACTS, "version": "3.x"}),
    "digits": json.dumps({**FACTS, "version": "9" * 5000 + ".1"}),
    "type": json.dumps({**FACTS, "version": "3.11.2", "library": 1}),
    "number": json.dumps({**FACTS, "version": "3.11.2", "gil": 1}),
    "nul": json.dumps({**FACTS, "version": "3.11.2", "executable": "/a\0b"}),
    "long": json.dumps({**FACTS, "version": "3.11.2", "executable": "/" * 5000}),
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
def test_what_is_no_python_is_refused(program, text):
    with pytest.raises(StackError, match="does not run as a Python"):
        _interpreter.probe(program(text), SELF)


def test_an_interpreter_is_asked_once(monkeypatch):
    asked = []

    def probe(python):
        asked.append(python)
        return {"executable": python}

    monkeypatch.setattr(_interpreter, "probe", probe)
    prober = _interpreter.Prober()
    assert [prober.probe(python)["executable"] for python in ("one", "one", "two", "two")] == ["one", "one", "two", "two"]
    assert asked == ["one", "two"]


@pytest.mark.parametrize("library", [True, False])
def test_the_library_and_the_headers_are_those_of_the_interpreters_present_place(tmp_path, library):
    """One that has moved still says where it was installed to, where another of its version may be."""
    for path in ("lib/libpython9.9.so.1.0", "include/python9.9/Python.h"):
        (tmp_path / "new" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "new" / path).touch()
        (tmp_path / "old" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "old" / path).touch()
    if not library:
        (tmp_path / "new/lib/libpython9.9.so.1.0").unlink()
    pretend = f"""
import sys, sysconfig
sys.base_prefix, sys.version_info, sys.abiflags = {str(tmp_path / "new")!r}, (9, 9, 9), ""
said = {{"INSTSONAME": "libpython9.9.so.1.0", "LIBDIR": {str(tmp_path / "old/lib")!r}}}
sysconfig.get_config_var = said.get
sysconfig.get_paths = lambda: {{"include": {str(tmp_path / "old/include/python9.9")!r}}}
"""
    done = subprocess.run([sys.executable, "-c", pretend + _interpreter.PROBE], capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert found["library"] == (str(tmp_path / "new/lib/libpython9.9.so.1.0") if library else "")
    assert found["include"] == str(tmp_path / "new/include/python9.9")
