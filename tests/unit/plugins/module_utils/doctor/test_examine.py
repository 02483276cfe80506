# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([("a",), ("b",)], [[0], [1]]),
        ([("a", "www.a"), ("b",), ("www.a",)], [[0, 2], [1]]),
        ([("a",), ("b",), ("b", "a")], [[0, 1, 2]]),
        ([("_",), ("_",), ()], [[0], [1], [2]]),
    ],
)
def test_servers_with_a_name_in_common_are_one_site(names, groups):
    servers = [ServerBlock(each, line=line) for line, each in enumerate(names)]
    assert [[server.line for server in group] for group in _examine.grouped(servers)] == groups
