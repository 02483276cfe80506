# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._versions import numbers


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.15", "1.22.1"),
        ("3.5", "3.5.1"),
        ("2.0.31-debian", "2.0.31.1"),
        ("1.18.0-6.1+deb11u3", "1.25.1"),
        ("", "1"),
    ],
)
def test_versions_are_compared_number_by_number(older, newer):
    assert numbers(older) < numbers(newer)
