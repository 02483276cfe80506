# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a user and a group are: of all that a host can have by an app's name, only what was made for the app is the app's."""

from __future__ import annotations

import grp
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _ownership

SHOP = _layout.Layout("shop")


def user(name="shop", uid=990, gid=990, full_name="WSGI application shop", home="/srv/wsgi/shop"):
    return pwd.struct_passwd((name, "x", uid, gid, full_name, home, "/usr/sbin/nologin"))


def group(name="shop", gid=990, members=()):
    return grp.struct_group((name, "x", gid, list(members)))


def accounts(users=(), groups=(), marked=()):
    return _ownership.Accounts(tuple(users), tuple(groups), frozenset(marked))


@pytest.mark.parametrize(
    "found",
    [
        accounts(),
        accounts([user("mail", 8, 8)], [group("mail", 8)]),
        accounts([user()], [group()]),
        accounts([user(full_name="WSGI application shop,room 5")], [group(members=["alice"])]),
        accounts([], [group()], ["shop"]),  # a run was killed between the two
    ],
)
def test_an_app_gets_what_nobody_has_or_what_was_made_for_it(found):
    assert _ownership.objection(SHOP, found) == ""


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (accounts([], [group()]), "this host has a group shop (gid 990) that was not made for this app; give"),
        (accounts([], [group(members=["alice"])], ["shop"]), "this host has a group shop (gid 990)"),
        (accounts([user("alice", 1000, 990)], [group()], ["shop"]), "this host has a group shop (gid 990)"),
        (accounts([], [group(gid=0)], ["shop"]), "this host has a group shop (gid 0)"),
        (accounts([], [group(), group("docker")], ["shop"]), "this host has a group shop (gid 990)"),
        (accounts([user(home="/home/shop")], [group()]), "this host has a user shop (uid 990, home /home/shop)"),
        (accounts([user(full_name="Shop")], [group()], ["shop"]), "this host has a user shop (uid 990, home /srv/wsgi/shop)"),
        (accounts([user(uid=0)], [group()]), "this host has a user shop (uid 0"),
        (accounts([user(), user("toor")], [group()]), "user shop has the same uid as toor (990)"),
        (accounts([user(gid=4)], [group(), group("adm", 4)]), "user shop is not in its own group, but in gid 4; run: usermod"),
        (accounts([user()], [group("docker")]), "user shop is not in its own group"),
        (accounts([user()], []), "the group of user shop is gone; run: groupadd --system --gid 990 shop"),
        (accounts([user()], [group(), group("docker")]), "group shop has the same gid as docker (990)"),
    ],
)
def test_an_app_never_gets_what_is_somebody_elses(found, cause):
    assert _ownership.objection(SHOP, found).startswith(cause)


@pytest.mark.parametrize(
    ("found", "owned"),
    [
        (accounts([user()], [group()]), True),
        (accounts([user(home="/home/shop")], [group()]), False),
        (accounts([user(full_name="")], [group()]), False),
        (accounts([user(uid=0)], [group()]), False),
        (accounts([], [group()]), False),
    ],
)
def test_a_user_is_the_apps_by_what_root_alone_can_write(found, owned):
    assert _ownership.owned(SHOP, found) is owned


def test_a_group_without_a_user_is_an_apps_while_it_is_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(_ownership, "MARKS", str(tmp_path / "marks"))
    assert not _ownership.orphaned(SHOP, accounts([], [group()], _ownership.marked()))
    _ownership.mark(["shop", "blog"])
    assert _ownership.orphaned(SHOP, accounts([], [group()], _ownership.marked()))
    _ownership.unmark(["shop", "shop"])
    assert _ownership.marked() == {"blog"}
