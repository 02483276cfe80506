# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and links on the disk, as others see them."""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link, Other

OWNER, GROUP = _accounts.user_name(os.geteuid()), _accounts.group_name(os.getegid())


def test_what_is_written_is_read_again(tmp_path):
    path = str(tmp_path / "a.conf")
    for item in (File("a\r\n\udcff", 0o640, OWNER, GROUP), Link("nowhere"), File("", 0o600, OWNER, GROUP)):
        _files.write(path, item)
        assert _files.read(path) == item
    assert os.listdir(tmp_path) == ["a.conf"]


def test_what_is_neither_file_nor_link_and_what_is_not_there(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("")
    assert _files.read(str(tmp_path)) == Other("a directory")
    assert _files.read(str(tmp_path / "pipe")) == Other("a device, a pipe or a socket")
    assert _files.read(str(tmp_path / "gone")) is None
    assert _files.read(str(tmp_path / "file/below")) is None


def test_a_text_that_cannot_be_read_is_empty(tmp_path):
    (tmp_path / "text").write_bytes(b"ab\xffd")
    assert _files.text_of(str(tmp_path / "text")) == "ab\ufffdd"
    assert _files.text_of(str(tmp_path / "text"), size=2) == "ab"
    assert _files.text_of(str(tmp_path)) == _files.text_of(str(tmp_path / "gone")) == ""


def test_the_account_that_is_missing_is_named_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    for item, missing in (
        (File("new", 0o644, "no-such", GROUP), "the user"),
        (File("new", 0o644, OWNER, "no-such"), "the group"),
    ):
        with pytest.raises(FileNotFoundError, match=f"{missing} .* is not there"):
            _files.write(str(path), item)
    assert path.read_text() == "old"


def test_a_leftover_of_a_killed_run_is_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("of somebody else")
    os.symlink(other, _files.temporary(str(tmp_path / "a")))
    _files.write(str(tmp_path / "a"), File("new", 0o600, OWNER, GROUP), sync=True)
    assert other.read_text() == "of somebody else"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["a", "other"]


def test_a_link_is_there_at_any_moment_while_it_is_swapped(tmp_path):
    path = str(tmp_path / "live")
    _files.replace_link("blue", path)
    seen, done = set(), threading.Event()

    def look():
        while not done.is_set():
            try:
                seen.add(os.readlink(path))
            except OSError as error:
                seen.add(error.strerror)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(50000):
        _files.replace_link(("green", "blue")[number % 2], path)
        if number > 500 and len(seen) > 1:
            break
    done.set()
    reader.join()
    assert seen == {"blue", "green"}


def test_a_full_disk_is_told_with_the_file(monkeypatch, tmp_path):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files.os, "fchmod", full)
    path = str(tmp_path / "wsgi.conf")
    with pytest.raises(OSError, match="No space left on device") as raised:
        _files.write(path, _files.File("text"))
    assert raised.value.filename == path
