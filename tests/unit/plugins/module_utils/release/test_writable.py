# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that an app has to be able to write to."""

from __future__ import annotations

import os
import re

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.release import _writable


@pytest.mark.parametrize(("mode", "code"), [(0o700, 0), (0o500, 4), (0o600, 4), (None, 3)])
def test_a_directory_that_an_app_may_write_to(tmp_path, mode, code):
    path = tmp_path / "data"
    if mode is not None:
        path.mkdir(mode=mode)
    command = ["sh", "-c", _writable.WRITE_TEST, "sh", str(path)]
    # Without the capabilities that root has, in whose place permissions count.
    assert run(["setpriv", "--bounding-set=-all", *command] if os.geteuid() == 0 else command).code == code
    if code:
        assert re.search(r"(install -d -o shop -g shop|chown shop:) /data\)", _writable.unwritable("/data", "shop", code))
