# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the static directories of a build."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _permissions
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


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


@pytest.mark.parametrize("target", ["link", "./" * 60 + "1", "../css/" * 130 + "a.css", "./" * 300 + "a.css"])
@pytest.mark.parametrize(("place", "directory"), [("shop/static/css", "shop/static"), ("", "link")])
def test_a_symlink_that_takes_too_many_steps_is_refused(build, place, directory, target):
    chain = build / "source" / place
    (chain / "link").symlink_to(target)
    for number in range(1, 5):
        (chain / str(number)).symlink_to("./" * 60 + str(number + 1))
    (chain / "css").mkdir(exist_ok=True)
    shown = os.path.normpath(os.path.join("source", place, "link"))
    with pytest.raises(StackError, match=rf"^the symlink {shown} leads through more than 256 directories and symlinks; replace "):
        _permissions.publish(str(build), directory)
    assert mode(build / "source/shop/static") == 0o751


def test_directories_are_opened_however_deeply_they_are_nested(build):
    path = str(build / "source/shop/static")
    for _level in range(1500):
        path += "/d"
        os.mkdir(path, 0o751)
    _permissions.publish(str(build), "shop/static")
    opened = stat.S_IMODE(os.lstat(path).st_mode)
    _files.remove(str(build))
    assert opened == 0o755


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
