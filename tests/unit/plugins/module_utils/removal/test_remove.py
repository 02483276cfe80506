# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes when an app goes, what stays, and that a retirement killed anywhere is completed by the next one."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _ownership
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _remove as _account
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _found, _remains, _remove

OFF, ON = Instance(), Instance(active=True, ready=True, enabled=True)


class Killed(Exception):
    """Stands for a signal: nothing in the code handles it."""


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """An app on the disk, with a user of its own; who owns a directory is not looked at, since a test need not be root."""
    found = _layout.Layout("shop", str(tmp_path / "srv"), str(tmp_path / "run"))
    found.boot_link = str(tmp_path / "wsgi-live-shop.conf")
    found.source_cache, found.build_cache = ((str(tmp_path / f"private/{name}"), str(tmp_path / name)) for name in ("s", "b"))
    for directory, link in (found.source_cache, found.build_cache):
        os.makedirs(directory)
        os.symlink(directory, link)
    for directory in (found.builds, found.releases, found.slots, found.shared, found.runtime_directory):
        os.makedirs(os.path.join(directory, *(["1"] if directory in (found.builds, found.releases) else [])))
    os.symlink("releases/1", found.current)
    for path in (found.history, found.boot_link):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(f"d {found.runtime_directory} 0750 shop www-data -\n")
    users = {"shop": pwd.struct_passwd(("shop", "x", 997, 997, "WSGI application shop", found.directory, "/usr/sbin/nologin"))}
    monkeypatch.setattr(_remove.pwd, "getpwnam", lambda name: users[name])
    monkeypatch.setattr(_ownership, "MARKS", str(tmp_path / "marks"))
    monkeypatch.setattr(
        _ownership,
        "accounts",
        lambda names=(): _ownership.Accounts(tuple(users.values()), (), frozenset(_ownership.marked())),
    )
    monkeypatch.setattr(_found, "_is_roots_directory", os.path.isdir)
    monkeypatch.setattr(_remove._orphans, "uids_of", lambda pid: None)
    monkeypatch.setattr(_remove, "LINGER", str(tmp_path / "nothing"))

    def run(argv, **_settings):
        if argv[0] == "userdel":
            users.pop(argv[1])
        return Completed(tuple(argv), 0, "")

    monkeypatch.setattr(_remains, "run", run)
    monkeypatch.setattr(_remove, "run", run)
    monkeypatch.setattr(_account, "run", run)
    return found


def seen(**slots):
    return {"uwsgi": {f"wsgi-{slot}@shop": slots.get(slot, OFF) for slot in _layout.SLOTS}}


def found(layout):
    return _found.found(os.path.dirname(layout.directory), os.path.dirname(layout.runtime_directory))


def retire(layout, remove_shared=False):
    _remove.Retirement(layout, _remains.look(layout, seen(), remove_shared)).run()


def test_an_app_goes_with_all_that_was_made_for_it(layout, locks):
    assert found(layout) == {"shop"}
    locks.mkdir()
    for name in ("build-shop", "release-shop", "build-blog"):  # of runs that were killed
        (locks / name).touch()
    retire(layout)
    assert found(layout) == set()
    assert os.listdir(locks) == ["build-blog"]
    assert not any(os.path.lexists(path) for path in (layout.directory, layout.runtime_directory, layout.boot_link))
    assert not _remains.look(layout, seen(), False)


@pytest.mark.parametrize("step", range(10))
def test_a_retirement_killed_anywhere_is_found_and_completed(layout, monkeypatch, step):
    remove, done = _remove._files.remove, []

    def mortal(path):
        if len(done) == step:
            raise Killed
        done.append(path)
        remove(path)

    monkeypatch.setattr(_remove._files, "remove", mortal)
    with pytest.raises(Killed):
        retire(layout)
    monkeypatch.setattr(_remove._files, "remove", remove)
    assert found(layout) == {"shop"}
    retire(layout)
    assert found(layout) == set()
    assert not any(os.path.lexists(path) for path in (layout.directory, layout.runtime_directory, layout.boot_link))


def test_the_apps_own_data_stays_with_its_user_unless_it_is_to_go_too(layout):
    with open(os.path.join(layout.shared, "db.sqlite3"), "w", encoding="utf-8") as stream:
        stream.write("orders")
    retire(layout)
    assert os.listdir(layout.directory) == ["shared"]
    assert found(layout) == {"shop"}
    remains = _remains.look(layout, seen(), False)
    assert not remains
    assert _remains.message(layout, remains) == (
        f"app shop: {layout.shared} is the app's own data, so it is kept, with the user shop; copy what you need,"
        " then set wsgi_remove_shared: true to remove it."
    )
    retire(layout, remove_shared=True)
    assert not os.path.exists(layout.directory)
    assert found(layout) == set()


def test_what_somebody_else_put_there_stays_in_any_case(layout):
    foreign = os.path.join(layout.directory, "notes.txt")
    with open(foreign, "w", encoding="utf-8") as stream:
        stream.write("mine")
    retire(layout, remove_shared=True)
    assert os.listdir(layout.directory) == ["notes.txt"]
    assert "notes.txt: not created by wsgi.stack, so it is kept" in _remains.message(layout, _remains.look(layout, seen(), True))


def test_a_certificate_goes_unless_somebody_else_has_it(layout, monkeypatch):
    deleted = []
    monkeypatch.setattr(_remove._command, "delete", deleted.append)
    monkeypatch.setattr(_remains, "_certificate", lambda site: (False, ["/etc/mail.cf"]))
    remains = _remains.look(layout, seen(), False)
    assert "certbot's certificate shop is kept, since /etc/mail.cf uses it" in _remains.message(layout, remains)
    monkeypatch.setattr(_remains, "_certificate", lambda site: (True, []))
    remains = _remains.look(layout, seen(), False)
    assert "certbot certificate shop" in remains.lines(layout)
    _remove.Retirement(layout, remains).run()
    assert deleted == ["shop"]


def test_a_link_in_place_of_the_shared_directory_is_somebodys(layout, tmp_path):
    os.rmdir(layout.shared)
    (tmp_path / "disk").mkdir()
    os.symlink(tmp_path / "disk", layout.shared)
    retire(layout)
    assert os.path.islink(layout.shared)


def test_a_user_that_somebody_had_before_stays(layout, monkeypatch):
    theirs = pwd.struct_passwd(("shop", "x", 997, 997, "WSGI application shop", "/home/shop", "/bin/bash"))
    monkeypatch.setattr(_remove.pwd, "getpwnam", lambda name: theirs)
    monkeypatch.setattr(_ownership, "accounts", lambda names=(): _ownership.Accounts((theirs,), ()))
    assert found(layout) == {"shop"}
    assert not _remains.look(layout, seen(), False).user
    retire(layout)
    assert found(layout) == set()


def test_an_app_whose_user_is_busy_elsewhere_is_left_there(layout, monkeypatch):
    monkeypatch.setattr(_remove._orphans, "uids_of", lambda pid: {997} if pid == os.getpid() else {0})
    with pytest.raises(StackError, match=rf"user shop still runs processes outside its slots \(pid {os.getpid()}\); stop them"):
        retire(layout)
    assert os.path.isdir(layout.releases)


def test_processes_outside_the_slots_are_refused_even_if_the_user_stays(layout, monkeypatch):
    with open(os.path.join(layout.shared, "db.sqlite3"), "w", encoding="utf-8") as stream:
        stream.write("orders")
    monkeypatch.setattr(_remove._orphans, "uids_of", lambda pid: {997} if pid == os.getpid() else {0})
    with pytest.raises(StackError, match=r"user shop still runs processes outside its slots"):
        retire(layout)
    assert os.path.isdir(layout.releases)


@pytest.mark.parametrize("data", [[], ["db.sqlite3"]])
def test_the_users_own_systemd_ends_for_good(layout, monkeypatch, tmp_path, data):
    for name in data:
        os.mkdir(os.path.join(layout.shared, name))
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger/shop").touch()
    (tmp_path / "linger/blog").touch()
    running, ends = {os.getpid()}, ["kill --signal=SIGKILL", "stop", "reset-failed"]

    def run(argv, **_settings):
        if argv[-1] == "user@997.service":
            assert " ".join(argv) == f"systemctl {ends.pop(0)} user@997.service"
            assert sorted(os.listdir(tmp_path / "linger")) == (["blog", "shop"] if running else ["blog"])
            running.clear()
        return Completed(tuple(argv), 0, "")

    monkeypatch.setattr(_remove, "run", run)
    monkeypatch.setattr(_remove, "LINGER", str(tmp_path / "linger"))
    monkeypatch.setattr(_remove._orphans, "uids_of", lambda pid: {997} if pid in running else {0})
    retire(layout)
    assert ends == []
    assert found(layout) == ({"shop"} if data else set())


def test_slots_that_run_or_are_started_at_boot_are_stopped(layout):
    assert _remains.look(layout, seen(green=Instance(enabled=True)), False).slots == ("green",)
    assert _remains.look(layout, seen(blue=ON, green=Instance(active=True)), False).slots == ("blue", "green")


def test_a_server_is_used_by_whatever_app_runs_under_it(layout):
    assert _remains.running([layout], {**seen(blue=ON), "uwsgi_emperor": seen()["uwsgi"]}) == {"uwsgi"}
    assert _remains.running([layout], seen()) == set()


def test_what_servers_left_behind_is_killed_and_what_others_started_is_refused(layout, monkeypatch):
    # Somebody's program runs as the app's user (11), an orphan in supervisor's service (12), and one in the Emperor's (13).
    running = {(11, 1): 1, (12, 1): 1, (13, 1): 1, (14, 1): 1}
    left = {"supervisor.service": (12, 1), "wsgi-emperor.service": (13, 1)}
    monkeypatch.setattr(_remove._processes, "all_processes", lambda: dict(running))
    monkeypatch.setattr(_remove._orphans, "uids_of", lambda pid: {997})
    monkeypatch.setattr(_remove._orphans, "kill", lambda unit, user, masters: running.pop(left.pop(unit, None), None))
    with pytest.raises(StackError, match=r"still runs processes outside its slots \(pid 11 14\)"):
        retire(layout, remove_shared=True)
    assert [*running] == [(11, 1), (14, 1)]
