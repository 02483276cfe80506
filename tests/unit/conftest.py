# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every unit test: it touches nothing of the machine that it runs on."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _locks


@pytest.fixture(autouse=True)
def locks(tmp_path_factory, monkeypatch):
    """A directory of its own for the locks of each test."""
    directory = tmp_path_factory.mktemp("locks") / "locks"
    monkeypatch.setattr(_locks, "DIRECTORY", str(directory))
    return directory
