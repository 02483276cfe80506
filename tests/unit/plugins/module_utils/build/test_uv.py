# SPDX-License-Identifier: GPL-3.0-or-later
"""uv on the host: installed once, complete or not at all."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _uv
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed


@pytest.fixture
def host(monkeypatch):
    """A host on which the programs of one installation end as told; the commands are noted."""
    calls = []

    def prepare(**failures):
        def run(argv, environment=None, timeout=None, **_more):
            words = list(argv)
            step = "pip" if "pip" in words else "uv"
            calls.append(step)
            if step == "pip" and step not in failures:
                target = words[words.index("--target") + 1]
                os.makedirs(os.path.join(target, "bin"))
                with open(os.path.join(target, "bin/uv"), "w", encoding="utf-8") as stream:
                    stream.write("uv")
            return Completed(tuple(words), 1 if step in failures else 0, failures.get(step, ""))

        monkeypatch.setattr(_uv, "run", run)
        monkeypatch.setattr(_uv, "pip_command", lambda: ["pip"])
        return calls

    return prepare


def test_uv_is_installed_once(host, tmp_path):
    calls = host()
    (tmp_path / ".uv-of-a-killed-run/venv").mkdir(parents=True)
    path = _uv.ensure("0.13.8", str(tmp_path))
    assert path == str(tmp_path / "uv-0.13.8/uv")
    assert os.access(path, os.X_OK)
    assert _uv.ensure("0.13.8", str(tmp_path)) == path
    assert calls == ["pip", "uv"]
    assert os.listdir(tmp_path) == ["uv-0.13.8"]


@pytest.mark.parametrize(
    ("step", "output", "wanted"),
    [
        ("pip", "ERROR: x\nERROR: No matching distribution found for uv==9", "No matching distribution found for uv==9; correct"),
        ("uv", "Illegal instruction", "it does not run here"),
    ],
)
def test_what_cannot_be_installed_leaves_nothing(host, tmp_path, step, output, wanted):
    host(**{step: output})
    with pytest.raises(StackError, match=wanted) as caught:
        _uv.ensure("9", str(tmp_path))
    assert caught.value.step == "install"
    assert os.listdir(tmp_path) == []
