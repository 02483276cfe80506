# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _result
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (("_", "shop.test"), "shop.test"),
        (("*.shop.test",), "*.shop.test"),
        (("_",), "/etc/nginx/shop:3"),
        ((), "/etc/nginx/shop:3"),
    ],
)
def test_a_site_is_called_by_its_first_name(names, name):
    assert _result.Site([ServerBlock(names, file="/etc/nginx/shop", line=3)]).name == name
