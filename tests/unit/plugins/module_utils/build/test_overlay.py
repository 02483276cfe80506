# SPDX-License-Identifier: GPL-3.0-or-later
"""Files over a source, and links in it, whatever the source has there."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build._overlay import Source


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source/conf").mkdir(parents=True)
    (tmp_path / "source/conf/old").write_text("old")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("untouched")
    return tmp_path / "source"


def test_files_are_written_for_their_owner_alone(source):
    Source(str(source)).lay({"conf/old": "new\r\n", "a/b/run": "#!/bin/sh\n", "top": ""})
    assert (source / "conf/old").read_bytes() == b"new\r\n"
    modes = [stat.S_IMODE((source / path).stat().st_mode) for path in ("conf/old", "a/b/run", "top")]
    assert modes == [0o600, 0o700, 0o600]


def test_a_source_may_be_below_a_directory(source):
    Source(str(source), "conf").lay({"new": "1"})
    assert (source / "conf/new").read_text() == "1"


def test_a_symlink_is_replaced_and_not_written_through(source):
    (source / "link").symlink_to("../outside/file")
    (source / "hard").hardlink_to(source.parent / "outside/file")
    Source(str(source)).lay({"link": "new", "hard": "new"})
    assert (source / "link").read_text() == (source / "hard").read_text() == "new"
    assert (source.parent / "outside/file").read_text() == "untouched"


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("away/file", "away/file cannot be used, since away is a symlink in the source; correct the path or the source."),
        ("conf/old/x", "conf/old/x cannot be used, since conf/old is not a directory in the source; correct"),
        ("conf", "conf cannot be used, since it is a directory in the source; correct"),
    ],
)
def test_what_is_in_the_way_of_a_file_is_told(source, path, cause):
    (source / "away").symlink_to("../outside")
    with pytest.raises(StackError) as caught:
        Source(str(source)).lay({path: "new"})
    assert caught.value.cause.startswith(cause)
    assert os.listdir(source.parent / "outside") == ["file"]


def test_shared_paths_become_links_and_what_was_there_is_kept(source, tmp_path):
    (source / "db.sqlite3").write_text("data")
    code, kept = Source(str(source)), tmp_path / "kept"
    kept.mkdir()
    paths = ["conf", "a/media", "db.sqlite3"]
    code.make_directories(paths)
    assert (source / "a/media").is_dir()
    code.share(paths, "/srv/wsgi/shop/shared", str(kept))
    assert [os.readlink(source / path) for path in paths] == [f"/srv/wsgi/shop/shared/{path}" for path in paths]
    assert (kept / "conf/old").read_text() == "old"
    assert (kept / "db.sqlite3").read_text() == "data"
    assert (kept / "a/media").is_dir()


@pytest.mark.parametrize("path", ["away", "away/media"])
def test_a_symlink_is_never_shared(source, tmp_path, path):
    (source / "away").symlink_to("../outside")
    for work in (lambda: Source(str(source)).make_directories([path]), lambda: Source(str(source)).share([path], "/x", "/kept")):
        with pytest.raises(StackError, match=r"since (it|away) is a symlink in the source"):
            work()
    assert os.listdir(source.parent / "outside") == ["file"]
