# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for sandboxes in unit tests, which have no systemd: commands run as they are, with the files in a directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run


def replace(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Have all sandboxes run their commands here and now, as who runs the test.

    :param directory: an empty one, instead of ``_sandbox.FILES``
    """

    def here(text: str) -> str:
        return text.replace(_sandbox.FILES, str(directory))

    def run_here(
        _self: _sandbox.Sandbox,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str] | None = None,
        cwd: str = "/",
        timeout: float | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Completed:
        for name, content in (files or {}).items():
            (directory / name).write_text(here(content))
        done = Completed((), 0, "")
        for command in commands:
            if done.code == 0:
                variables = {name: here(value) for name, value in (environment or {}).items()}
                done = run([here(word) for word in command], environment=variables, directory=cwd, timeout=timeout)
        return done

    monkeypatch.setattr(_sandbox.Sandbox, "run", run_here)
