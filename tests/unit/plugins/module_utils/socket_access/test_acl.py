# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import struct

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import SEARCH
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _acl

APP, NGINX, OTHERS = 1001, 33, 44
USER_OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ANY = 0xFFFFFFFF


def listed(*entries):
    return (struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)).hex()


def step(mode=0o755, acl=""):
    return {"mode": mode, "uid": APP, "gid": APP, "acl": acl}


def rights(named=None, group=None, mask=7, owner_group=0, other=0):
    entries = [(USER_OWNER, 7, ANY)]
    entries += [(USER, named, NGINX)] if named is not None else []
    entries += [(GROUP_OWNER, owner_group, ANY)]
    entries += [(GROUP, group, OTHERS)] if group is not None else []
    return listed(*entries, (MASK, mask, ANY), (OTHER, other, ANY))


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "granted", "by"),
    [
        (0o700, APP, (), True, "owner"),
        (0o077, APP, (APP,), False, "owner"),
        (0o710, NGINX, (NGINX, APP), True, "group"),
        (0o701, NGINX, (NGINX, APP), False, "group"),
        (0o701, NGINX, (NGINX,), True, "other"),
        (0o770, NGINX, (NGINX,), False, "other"),
        (0o000, 0, (), True, "root"),
    ],
)
def test_the_first_class_that_fits_decides(mode, uid, groups, granted, by):
    assert _acl.ruling(step(mode=mode), uid, groups, SEARCH) == _acl.Ruling(granted, by)


@pytest.mark.parametrize(
    ("acl", "mode", "groups", "granted", "by"),
    [
        (rights(named=1), 0o770, (NGINX,), True, "acl user"),
        (rights(named=0, owner_group=7, other=7), 0o777, (NGINX, APP), False, "acl user"),
        (rights(named=7, mask=6), 0o760, (NGINX,), False, "acl mask"),
        (rights(group=1), 0o770, (NGINX, OTHERS), True, "acl group"),
        (rights(group=0, other=7), 0o777, (NGINX, OTHERS), False, "acl group"),
        (rights(group=1, owner_group=0), 0o770, (NGINX, APP, OTHERS), True, "acl group"),
        (rights(named=None, other=1), 0o771, (NGINX,), True, "other"),
        # Linux does not look at the list if its mask, which the group bits are, is empty.
        (rights(named=7, mask=0, other=1), 0o701, (NGINX,), True, "other"),
        ("00000000", 0o701, (NGINX,), True, "other"),
    ],
)
def test_an_access_control_list_is_read_as_the_kernel_reads_it(acl, mode, groups, granted, by):
    assert _acl.ruling(step(mode=mode, acl=acl), NGINX, groups, SEARCH) == _acl.Ruling(granted, by)
