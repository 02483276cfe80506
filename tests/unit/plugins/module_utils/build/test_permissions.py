# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a build over from its app, and opening its static directories."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _permissions
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files


@pytest.fixture
def owners(monkeypatch):
    """The owners that were given, by inode; none is, so that the test needs no root."""
    given = {}

    def chown(name, uid, gid, dir_fd=None, follow_symlinks=True):
        assert follow_symlinks is False
        given[os.lstat(name, dir_fd=dir_fd).st_ino] = (uid, gid)

    monkeypatch.setattr(os, "chown", chown)
    return given


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_all_is_taken_over_and_no_link_is_followed(tmp_path, owners):
    outside = tmp_path / "outside"
    (outside / "directory").mkdir(parents=True)
    (outside / "file").write_text("")
    (outside / "file").chmod(0o600)
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub").chmod(0o777)
    (tree / "program").write_text("")
    (tree / "program").chmod(0o4777)
    (tree / "sub/data").write_text("")
    (tree / "sub/data").chmod(0o444)
    (tree / "file").symlink_to(outside / "file")
    (tree / "directory").symlink_to(outside)
    os.mkfifo(tree / "pipe")
    _permissions.take_over(str(tree), 4242)
    assert mode(tree) == mode(tree / "sub") == 0o751
    assert mode(tree / "program") == 0o750
    assert mode(tree / "sub/data") == 0o640
    assert not (tree / "pipe").exists()
    ours = [tree, *tree.rglob("*")]
    assert owners == {path.lstat().st_ino: (0, 4242) for path in ours}
    assert mode(outside / "file") == 0o600


def test_a_file_of_somebody_else_is_refused(tmp_path, owners):
    directory = os.lstat(tmp_path)

    class Entry:
        path = str(tmp_path / "file")

        def is_dir(self, follow_symlinks):
            return False

        is_symlink = staticmethod(lambda: False)

        def is_file(self, follow_symlinks):
            return True

        def stat(self, follow_symlinks):
            return directory

    with pytest.raises(StackError, match="belongs to another user"):
        _permissions._take_over_entry(Entry(), os.getuid() + 1, 4242)
    assert owners == {}


def test_a_tree_that_is_too_deep_is_refused_and_told(tmp_path, owners):
    here = os.open(tmp_path, os.O_RDONLY)
    for _level in range(3000):
        os.mkdir("deep", dir_fd=here)
        there = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    try:
        with pytest.raises(StackError, match=r"directories in .* that are nested too deeply; correct what makes them"):
            _permissions.take_over(str(tmp_path), 4242)
    finally:
        _files.remove(str(tmp_path / "deep"))
    assert os.listdir(tmp_path) == []


@pytest.fixture
def build(tmp_path):
    directory = tmp_path / "build"
    (directory / "source/shop/static/css").mkdir(parents=True)
    (directory / "source/shop/static/css/a.css").write_text("")
    (directory / "source/shop/static/latest.css").symlink_to("css/a.css")
    (directory / "source/shop/settings.py").write_text("")
    for path in directory.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o751 if path.is_dir() else 0o640)
    return directory


def test_a_static_directory_is_opened_and_nothing_else(build):
    _permissions.publish(str(build), "shop/static")
    assert mode(build / "source/shop/static") == mode(build / "source/shop/static/css") == 0o755
    assert mode(build / "source/shop/static/css/a.css") == 0o644
    assert mode(build / "source/shop") == 0o751
    assert mode(build / "source/shop/settings.py") == 0o640


def test_a_static_directory_may_be_a_link_inside_the_build(build):
    (build / "source/public").symlink_to("shop/static")
    _permissions.publish(str(build), "public")
    assert mode(build / "source/shop/static/css/a.css") == 0o644


@pytest.mark.parametrize(("target", "wanted"), [("/etc", "outside the source"), ("nowhere", "has no directory link")])
def test_a_static_directory_has_to_be_there(build, target, wanted):
    (build / "source/link").symlink_to(target)
    with pytest.raises(StackError, match=wanted):
        _permissions.publish(str(build), "link")


@pytest.mark.parametrize(
    "target",
    ["a.css", "../css", "../../static/css/a.css", "../../../shop/static/css", "{build}/source/shop/static/css", "missing"],
)
def test_a_symlink_inside_a_static_directory_may_stay(build, target):
    (build / "source/shop/static/css/link").symlink_to(target.format(build=build))
    _permissions.publish(str(build), "shop/static")
    assert mode(build / "source/shop/static/css/a.css") == 0o644


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/etc/passwd",
        "/var/log/nginx/missing",
        "../../settings.py",
        "../../static2/x",
        "deep/../../../settings.py",
        "{outside}/back",
        "../../../../../outside/back/a.css",
        "../../../../../build/source/shop/static/css/a.css",
        "{build}/../build/source/shop/static/css/a.css",
        "{build}2/x",
        "link",
    ],
)
def test_a_symlink_out_of_a_static_directory_is_refused_before_anything_is_opened(build, target):
    outside = build.parent / "outside"
    outside.mkdir()
    (outside / "back").symlink_to(build / "source/shop/static/css")
    (build / "source/shop/static/css/deep").symlink_to("../css")
    (build / "source/shop/static/css/link").symlink_to(target.format(build=build, outside=outside))
    with pytest.raises(StackError, match=r"^shop/static/css/link is a symlink to .*, outside the static directory shop/static; "):
        _permissions.publish(str(build), "shop/static")
    assert mode(build / "source/shop/static") == 0o751
    assert mode(build / "source/shop/static/css/a.css") == 0o640


def test_a_static_directory_that_others_could_send_elsewhere_is_refused(build):
    (build.parent / "back").symlink_to(build / "source/shop/static")
    (build / "source/public").symlink_to("../../back")
    with pytest.raises(StackError, match="outside the source"):
        _permissions.publish(str(build), "public")


@pytest.mark.parametrize("name", ["link", "l" * 200])
def test_a_symlink_is_not_missed_where_its_path_is_too_long(build, name):
    here = os.open(build / "source/shop/static", os.O_RDONLY)
    for _level in range(30):  # 30 * 140 is more than PATH_MAX, which is 4096
        os.mkdir("d" * 139, dir_fd=here)
        here, above = os.open("d" * 139, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.symlink("/etc/passwd", name, dir_fd=here)
    os.close(here)
    with pytest.raises((StackError, OSError), match=r"outside the static directory|File name too long"):
        _permissions.publish(str(build), "shop/static")
    assert mode(build / "source/shop/static") == 0o751
