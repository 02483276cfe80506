# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared for each app; an app whose name is taken gets nothing, and keeps no other from it."""

from __future__ import annotations

import grp
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _create, _directories, _ownership
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _transaction
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.tests.apps import resolved

REQUEST = _create.AccountsRequest("/srv/wsgi", "/run/wsgi", "www-data")


def test_users_and_directories_are_declared_in_one_file_each():
    apps = [resolved("shop"), resolved("blog")]
    assert _create.sysusers(apps).splitlines()[1:] == [
        'u shop - "WSGI application shop" /srv/wsgi/shop /usr/sbin/nologin',
        'u blog - "WSGI application blog" /srv/wsgi/blog /usr/sbin/nologin',
    ]
    lines = _create.tmpfiles(apps, REQUEST).splitlines()
    assert "d /srv/wsgi/shop/shared 0750 shop shop -" in lines
    assert "d /run/wsgi/blog 0750 root www-data -" in lines
    assert "d /srv/wsgi/blog/releases 0711 root root -" in lines


def test_no_apps_user_may_have_a_systemd_of_its_own():
    rule = _create.polkit([resolved("shop"), resolved("blog")])
    assert '    var users = ["shop", "blog"];\n    if (action.id == "org.freedesktop.login1.set-self-linger" && ' in rule


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with the group ``docker``, whose systemd-sysusers makes what its file says."""
    users, groups, calls, made = [], [grp.struct_group(("docker", "x", 995, []))], [], []

    def run(argv, **_settings):
        calls.append(argv[0])
        if argv[0] == "systemd-tmpfiles":
            made.append("directories")
        if argv[0] == "systemd-sysusers":
            for line in open(argv[1], encoding="utf-8").read().splitlines():
                if line.startswith("u "):
                    name, home = line.split()[1], line.split()[-2]
                    users.append(pwd.struct_passwd((name, "x", 990, 990, f"WSGI application {name}", home, "")))
                    groups.append(grp.struct_group((name, "x", 990, [])))
        return Completed(tuple(argv), 0, "")

    monkeypatch.setattr(_ownership, "MARKS", str(tmp_path / "marks"))
    monkeypatch.setattr(_ownership.pwd, "getpwall", lambda: list(users))
    monkeypatch.setattr(_ownership.grp, "getgrall", lambda: list(groups))
    for name in ("SYSUSERS", "TMPFILES", "POLKIT"):
        monkeypatch.setattr(_create, name, str(tmp_path / name))
    request = _transaction.TreeRequest
    monkeypatch.setattr(_create, "TreeRequest", lambda **given: request(**given, memory_directory=str(tmp_path / "memory")))
    monkeypatch.setattr(_transaction, "_without_owner", lambda tree: {})
    monkeypatch.setattr("os.fchown", lambda *_arguments: None)
    monkeypatch.setattr(_create, "run", run)
    monkeypatch.setattr(_directories, "wrong", lambda wanted: [] if made else list(wanted))
    monkeypatch.setattr("ansible_collections.wsgi.stack.plugins.module_utils.config_tree._load.run", run)
    return calls


def test_an_app_named_after_a_group_of_the_host_fails_alone(host):
    result = _create.ensure([resolved("docker"), resolved("shop")], REQUEST)
    assert result["apps"] == ["shop"]
    assert [failure["message"] for failure in result["failures"]] == [
        "app docker: user: this host has a group docker (gid 995) that was not made for this app; give the app another name."
    ]
    for name in ("SYSUSERS", "TMPFILES", "POLKIT"):
        with open(getattr(_create, name), encoding="utf-8") as stream:
            assert "docker" not in stream.read()
    assert host == ["systemd-sysusers", "systemd-tmpfiles"]
    assert _ownership.marked() == set()
    again = _create.ensure([resolved("docker"), resolved("shop")], REQUEST)
    assert (again["changed"], again["apps"], host[2:]) == (False, ["shop"], [])


def test_check_mode_refuses_the_same_and_makes_nothing(host, tmp_path):
    request = _create.AccountsRequest("/srv/wsgi", "/run/wsgi", "www-data", check=True)
    result = _create.ensure([resolved("docker"), resolved("shop")], request)
    assert (result["changed"], result["apps"], [failure["app"] for failure in result["failures"]]) == (True, ["shop"], ["docker"])
    assert host == []
    assert list(tmp_path.iterdir()) == []


def test_a_user_that_was_not_made_is_its_apps_failure(host, monkeypatch):
    monkeypatch.setattr(_create, "sysusers", lambda apps: "")
    result = _create.ensure([resolved("shop")], REQUEST)
    assert result["apps"] == []
    assert "systemd-sysusers made no user shop" in result["failures"][0]["message"]
    assert _ownership.marked() == {"shop"}


def test_directories_that_cannot_be_made_fail_the_host(host, monkeypatch):
    monkeypatch.setattr(_create, "run", lambda argv, **_settings: Completed(tuple(argv), 73, "no space left"))
    with pytest.raises(StackError, match=r"systemd-tmpfiles --create .* failed: no space left"):
        _create.ensure([resolved("shop")], REQUEST)
