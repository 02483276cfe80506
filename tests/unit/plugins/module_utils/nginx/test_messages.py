# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import last_error


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("2026/11/20 12:59:08 [notice] 1#1: signal process started\n", None),
        (
            (
                "2026/11/20 12:59:08 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)\n"
                "2026/11/20 12:59:10 [emerg] 1#1: still could not bind()\n"
            ),
            "bind() to 0.0.0.0:80 failed (98: Address already in use)",
        ),
    ],
)
def test_the_last_error_of_a_log(log, expected):
    assert last_error(log) == expected
