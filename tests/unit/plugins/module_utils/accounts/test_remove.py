# SPDX-License-Identifier: GPL-3.0-or-later
"""The user and the group that were made for an app go, and nobody else's."""

from __future__ import annotations

import grp
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _ownership, _remove
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

SHOP = _layout.Layout("shop")
OURS = pwd.struct_passwd(("shop", "x", 990, 990, "WSGI application shop", "/srv/wsgi/shop", "/usr/sbin/nologin"))
THEIRS = pwd.struct_passwd(("shop", "x", 990, 990, "Shop", "/home/shop", "/bin/bash"))
GROUP = grp.struct_group(("shop", "x", 990, []))
SYSTEMS = grp.struct_group(("shop", "x", 101, []))


@pytest.fixture
def remove(tmp_path, monkeypatch):
    def removed(users, groups, marked=(), code=0, keeps_group=True):
        calls = []

        def run(argv, **_settings):
            calls.append(" ".join(argv[:1] + argv[-3:]) if argv[0] == "find" else " ".join(argv))
            if argv[0] == "userdel":
                users.clear()
                if not keeps_group:
                    groups.clear()
            return Completed(tuple(argv), code if argv[0] != "find" else 1, "busy")

        monkeypatch.setattr(_ownership, "MARKS", str(tmp_path / "marks"))
        _ownership.mark(marked)
        monkeypatch.setattr(
            _ownership,
            "accounts",
            lambda names=(): _ownership.Accounts(tuple(users), tuple(groups), frozenset(_ownership.marked())),
        )
        monkeypatch.setattr(_remove, "run", run)
        monkeypatch.setattr(_remove, "SYSTEM_V", str(tmp_path / "sysvipc"))
        there = _remove.there(SHOP)
        _remove.remove(SHOP)
        return there, calls

    return removed


def test_a_user_goes_with_its_group_and_what_it_left_behind(remove):
    assert remove([OURS], [GROUP]) == (True, ["find -uid 990 -delete", "userdel shop", "groupdel shop"])
    assert _ownership.marked() == set()


def test_the_system_v_ipc_of_a_user_goes_with_it(remove, tmp_path):
    (tmp_path / "sysvipc").mkdir()
    (tmp_path / "sysvipc/shm").write_text(
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid\n"
        " 519839171          0   644                  4096  3700  3700      0   990   990   990   990\n"
        "-519839172          1   644                  4096  3700  3700      0     0     0   990   990\n"
        " 519839173        990   644                  4096   990   990      0   991   990   991   990\n"
    )
    (tmp_path / "sysvipc/sem").write_text(
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
    )
    (tmp_path / "sysvipc/msg").write_text(
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid\n"
        " 519839174         32   644           0          0     0     0   990   990   990   990\n"
    )
    _there, calls = remove([OURS], [GROUP])
    assert calls[1:-2] == ["ipcrm --shmem-id=0 --shmem-id=1", "ipcrm --queue-id=32"]


def test_a_group_that_userdel_removed_is_not_removed_again(remove):
    there, calls = remove([OURS], [GROUP], keeps_group=False)
    assert (there, [call.split()[0] for call in calls]) == (True, ["find", "userdel"])


def test_a_group_of_the_host_stays(remove):
    there, calls = remove([OURS], [SYSTEMS])
    assert (there, [call.split()[0] for call in calls]) == (True, ["find", "userdel"])


@pytest.mark.parametrize(("users", "groups"), [([THEIRS], [GROUP]), ([], [GROUP]), ([], [])])
def test_what_was_not_made_for_the_app_stays(remove, users, groups):
    assert remove(users, groups) == (False, [])


def test_the_files_of_a_user_with_the_same_uid_stay(remove):
    other = pwd.struct_passwd(("other", "x", 990, 990, "", "/home/other", "/bin/sh"))
    _there, calls = remove([OURS, other], [GROUP])
    assert not any(call.startswith("find") for call in calls)


def test_what_a_killed_run_left_goes_in_the_next_one(remove):
    assert remove([], [GROUP], marked=["shop"]) == (True, ["groupdel shop"])
    assert _ownership.marked() == set()


def test_a_user_that_cannot_go_is_told_and_still_marked(remove):
    with pytest.raises(StackError, match="user shop cannot be removed: busy; fix that"):
        remove([OURS], [GROUP], code=8)
    assert _ownership.marked() == {"shop"}
