# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there of an app's data, and what is done about the rest, as a real shell does it."""

from __future__ import annotations

import os
import struct
import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.release import _shared
from ansible_collections.wsgi.stack.tests import apps


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize(
    ("entries", "granted"),
    [
        ([(0x08, 5, 33)], True),
        ([(0x08, 7, 33), (0x10, 5, 0)], True),
        ([(0x08, 5, 33), (0x10, 1, 0)], False),
        ([(0x08, 4, 33)], False),
        ([(0x08, 5, 34), (0x04, 5, 0)], False),
        ([], False),
    ],
)
def test_an_acl_grants_a_group_what_its_mask_lets_through(entries, granted):
    assert _shared._grants(acl(*entries), 33, 5) is granted


def test_a_path_is_there_whatever_it_is(tmp_path):
    app = apps.resolved(settings={"directory": str(tmp_path)}, shared_paths=["media", "link/x", "file", "gone", "a/gone"])
    shared = tmp_path / "shop/shared"
    for name in ("media", "a"):
        (shared / name).mkdir(parents=True)
    (shared / "link").symlink_to("/nowhere")
    (shared / "file").write_text("")
    assert _shared.missing(app, "www-data") == ["gone", "a/gone"]


def test_a_served_directory_without_acl_or_behind_a_symlink_is_not_ready(tmp_path):
    static = [{"url": f"/{name}/", "shared": name} for name in ("media", "link", "gone")]
    app = apps.resolved(settings={"directory": str(tmp_path)}, static=static)
    (tmp_path / "shop/shared/media").mkdir(parents=True)
    (tmp_path / "shop/shared/link").symlink_to("media")
    assert _shared.missing(app, "root") == ["media", "link", "gone"]


@pytest.mark.parametrize(
    ("directory", "file", "is_refused"),
    [
        pytest.param("", "", True, id="nothing"),
        pytest.param("app.sqlite3", "", True, id="the directory that a build makes of what is missing"),
        pytest.param("", "app.sqlite3", False, id="a database"),
        pytest.param("app.sqlite3", "app.sqlite3/part", False, id="a directory of the source"),
    ],
)
def test_no_directory_is_made_for_a_database(tmp_path, directory, file, is_refused):
    shared, kept = tmp_path / "shared", tmp_path / "kept"
    shared.mkdir()
    (kept / "data" / directory).mkdir(parents=True)
    if file:
        (kept / "data" / file).write_text("")
    take_over = ["/bin/sh", "-euc", _shared.TAKE_OVER, "sh", shared, kept, "data/app.sqlite3"]
    done = subprocess.run(take_over, check=False, stdout=subprocess.PIPE, text=True)
    assert ("BASE_DIR / 'data' / 'app.sqlite3' with shared_paths: [data], or into $WSGI_SHARED" in done.stdout) is is_refused
    assert (done.returncode == 1, (shared / "data").exists()) == (is_refused, not is_refused)


def test_what_a_build_has_is_copied_once(tmp_path):
    shared, kept = tmp_path / "shared", tmp_path / "kept"
    for path in (shared, kept / "media/deep"):
        path.mkdir(parents=True)
    (kept / "media/deep/file").write_text("first")
    (kept / "media/link").symlink_to("deep/file")
    (kept / "db").write_text("data")
    (shared / ".wsgi-new").mkdir()
    take_over = ["/bin/sh", "-euc", _shared.TAKE_OVER, "sh", shared, kept, "media", "db", "a/logs"]
    subprocess.run(take_over, check=True)
    assert (shared / "media/deep/file").read_text() == "first"
    assert os.readlink(shared / "media/link") == "deep/file"
    assert (shared / "a/logs").is_dir()
    assert sorted(os.listdir(shared)) == ["a", "db", "media"]
    (shared / "db").write_text("changed")
    (shared / "media/deep/file").unlink()
    subprocess.run(take_over, check=True)
    assert (shared / "db").read_text() == "changed"
    assert not os.listdir(shared / "media/deep")
