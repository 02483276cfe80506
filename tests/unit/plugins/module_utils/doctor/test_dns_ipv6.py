# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _dns_ipv6

FOUR, SIX, AWAY = "203.0.113.9", "2001:db8::9", "2001:db8::77"


@pytest.mark.parametrize(
    ("answer", "own", "count"),
    [
        ([FOUR, AWAY], {FOUR, SIX}, 1),
        ([FOUR, SIX], {FOUR, SIX}, 0),
        ([FOUR], {FOUR, SIX}, 0),
        ([AWAY], {FOUR, SIX}, 0),
        ([FOUR, AWAY], {FOUR, "fe80::1", "::1"}, 0),
        ([FOUR, "fe80::2", "::1"], {FOUR, SIX}, 0),
        (["127.0.0.1", AWAY], {"127.0.0.1", SIX}, 0),
        ("does not exist", {FOUR, SIX}, 0),
    ],
)
def test_a_name_that_leads_to_two_hosts_is_found(answer, own, count):
    assert len(_dns_ipv6.judge({"shop.test": answer}, own)) == count
