# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directories of a host are not as they are to be."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _directories
from ansible_collections.wsgi.stack.plugins.module_utils.accounts._directories import Directory


@pytest.fixture
def wanted(tmp_path):
    """A directory that is as it is to be."""
    path = tmp_path / "shop"
    path.mkdir()
    path.chmod(0o711)
    status = path.stat()
    return Directory(str(path), 0o711, pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name)


def test_a_directory_as_it_is_to_be_is_left_alone(wanted):
    assert _directories.wrong([wanted]) == []
    assert str(wanted).startswith(f"d {wanted.path} 0711 ")


def test_another_mode_is_wrong_and_shown(wanted):
    os.chmod(wanted.path, 0o700)
    assert _directories.wrong([wanted]) == [wanted]
    assert _directories.lines([wanted]).startswith(f"{wanted.path}: drwx------ ")


@pytest.mark.parametrize("change", [{"user": "nobody"}, {"group": "nogroup"}, {"user": "there-is-no-such-user"}])
def test_another_owner_is_wrong(wanted, change):
    assert _directories.wrong([wanted._replace(**change)])


def test_what_is_missing_or_no_directory_is_wrong(wanted, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("shop")
    others = [wanted._replace(path=str(tmp_path / name)) for name in ("missing", "file", "link")]
    assert _directories.wrong([*others, wanted]) == others
    assert _directories.lines(others[:1]) == f"{tmp_path}/missing: not there\n"


def test_a_root_that_is_a_link_is_meant_where_it_leads(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "srv").symlink_to("disk")
    roots = _directories.shared_by_all(str(tmp_path / "srv"), str(tmp_path / "run"))
    assert [root.path for root in roots] == [f"{tmp_path}/disk", f"{tmp_path}/run"]
