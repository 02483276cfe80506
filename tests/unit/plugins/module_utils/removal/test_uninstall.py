# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import grp
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.accounts._ownership import Accounts
from ansible_collections.wsgi.stack.plugins.module_utils.removal._uninstall import elsewhere


def user(name, home, full_name=None):
    return pwd.struct_passwd((name, "x", 900, 900, full_name or f"WSGI application {name}", home, "/usr/sbin/nologin"))


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        pytest.param([user("shop", "/srv/wsgi/shop")], [], id="below the directory"),
        pytest.param([user("shop", "/srv/other/shop"), user("blog", "/srv/wsgi/blog")], ["/srv/other/shop"], id="below another"),
        pytest.param([user("shop", "/home/shop", "Shop")], [], id="somebody else's"),
        pytest.param([user("shop", "/srv/other/shop", "WSGI application blog")], [], id="of another name"),
    ],
)
def test_apps_of_another_directory_are_found(users, expected):
    groups = tuple(grp.struct_group((each.pw_name, "x", 900, [])) for each in users)
    assert elsewhere(Accounts(tuple(users), groups), "/srv/wsgi/") == expected
