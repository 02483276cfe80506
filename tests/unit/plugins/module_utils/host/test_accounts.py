# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups by name and number."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts


def test_names_and_numbers():
    assert (_accounts.user_name(0), _accounts.group_name(0)) == ("root", "root")
    assert (_accounts.uid_of("root"), _accounts.gid_of("root")) == (0, 0)
    assert "root" in _accounts.members(0)


def test_a_number_without_a_name_is_its_own_name():
    number = 2**31 - 5
    assert _accounts.user_name(number) == _accounts.group_name(number) == str(number)
    assert _accounts.uid_of(str(number)) == _accounts.gid_of(str(number)) == number
    assert _accounts.members(number) == set()


@pytest.mark.parametrize("look_up", [_accounts.uid_of, _accounts.gid_of])
def test_a_name_that_does_not_exist(look_up):
    with pytest.raises(KeyError):
        look_up("nobody-of-that-name")
