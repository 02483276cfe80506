# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that builds start."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _environment


def test_a_host_without_pip_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(_environment, "PIP", str(tmp_path / "pip-*.whl"))
    with pytest.raises(StackError, match="install the package python3-venv"):
        _environment.pip_command()
    for version in ("23.0", "23.0.1"):
        (tmp_path / f"pip-{version}-py3-none-any.whl").touch()
    assert _environment.pip_command() == ["python3", str(tmp_path / "pip-23.0.1-py3-none-any.whl/pip")]
