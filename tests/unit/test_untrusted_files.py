# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads hosts of any origin opens no file itself but by ``host._untrusted``: no FIFO, device or symlink is a surprise."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2] / "plugins/module_utils"
PACKAGES = ("doctor", "socket_access", "status")
PROGRAMS = ("_ask.py", "_descriptors.py", "_inside.py")
"""Their text runs as programs of other users, and imports nothing of ours."""

OPENING = {"open", "os.open", "os.listdir", "os.scandir", "os.walk", "io.open", "_files.read", "_files.text_of"}
FILES = sorted(path for package in PACKAGES for path in (HERE / package).glob("*.py") if path.name not in PROGRAMS)


def opened(code: str) -> set[str]:
    """The functions that a text calls and that open files or directories."""
    called = (ast.unparse(node.func) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    return {name for name in called if name in OPENING or name.endswith((".read_text", ".read_bytes"))}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_file_is_opened_but_by_the_helper(path):
    assert opened(path.read_text(encoding="utf-8")) == set()


def test_such_a_call_is_found():
    assert opened("with open('x') as y: os.walk(y)\nPath('x').read_text()") == {"open", "os.walk", "Path('x').read_text"}
