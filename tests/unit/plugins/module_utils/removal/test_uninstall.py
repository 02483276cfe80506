# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import grp
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts._ownership import Accounts
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Record
from ansible_collections.wsgi.stack.plugins.module_utils.removal._uninstall import elsewhere, managed, refuse_lists


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


def test_files_that_the_collection_wrote_are_known_by_their_first_line(tmp_path):
    for name, text in {"ours": "# Managed by wsgi.stack; changes\n", "theirs": "server {}\n# Managed by\n", "empty": ""}.items():
        (tmp_path / f"{name}.conf").write_text(text)
    (tmp_path / "link.conf").symlink_to("nowhere")
    assert managed([f"{tmp_path}/*.conf", f"{tmp_path}/none/*"]) == [f"{tmp_path}/ours.conf"]


RECORD = Record({"shop": {"list": "a", "claims": {}}, "blog": {"list": "b", "claims": {}}, "gone": {"list": "b", "claims": {}}})


@pytest.mark.parametrize(("own", "take_over"), [("a", ["blog"]), ("b", ["shop"]), ("c", ["shop", "blog"])])
def test_apps_of_the_own_list_and_those_that_are_named_may_go(own, take_over):
    refuse_lists(RECORD, {"shop", "blog", "old"}, own, take_over)


def test_apps_of_another_list_are_not_removed():
    with pytest.raises(StackError, match=r"too: blog of the list b\. Remove them first, .*, or add -e wsgi_take_over=blog\.$"):
        refuse_lists(RECORD, {"shop", "blog", "old"}, "a", [])
