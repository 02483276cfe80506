# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import threading

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._untrusted import UntrustedFileError


@pytest.fixture
def theirs(tmp_path):
    """A directory that others can write to."""
    os.chmod(tmp_path, 0o777)
    return tmp_path


def test_a_file_is_read_up_to_the_limit(theirs):
    (theirs / "file").write_bytes(b"0123456789\xff")
    assert _untrusted.read(str(theirs / "file"), 4) == b"0123"
    assert _untrusted.text(str(theirs / "file")) == "0123456789\N{REPLACEMENT CHARACTER}"
    assert _untrusted.text(f"{theirs}/./x/../file".replace("x/../", "")) == "0123456789\N{REPLACEMENT CHARACTER}"


def link(path, target):
    """A symlink of a user who is not root."""
    path.symlink_to(target)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    return path


@pytest.mark.parametrize("target", ["/etc/passwd", "/proc/self/../../etc/passwd", "/dev/zero", "/etc"])
def test_a_symlink_to_what_is_another_users_is_not_followed(theirs, target):
    path = link(theirs / "link", target)
    with pytest.raises(UntrustedFileError, match="symlink"):
        _untrusted.read(str(path))
    assert _untrusted.entries(str(path)) == []


def test_nor_is_one_on_the_way(theirs):
    link(theirs / "link", "/etc")
    with pytest.raises(UntrustedFileError, match="symlink"):
        _untrusted.read(str(theirs / "link/passwd"))


def test_a_symlink_to_a_file_of_the_same_user_is_followed(theirs):
    (theirs / "file").write_text("x")
    path = link(theirs / "link", "file")
    os.chown(theirs / "file", path.lstat().st_uid, -1)
    assert _untrusted.read(str(path)) == b"x"


def test_what_root_linked_is_followed():
    # Debian links this one, in a directory that is root's alone.
    assert _untrusted.read("/etc/os-release") == _untrusted.read("/usr/lib/os-release")


def test_a_fifo_neither_blocks_nor_is_read(theirs):
    os.mkfifo(theirs / "fifo")
    ended = threading.Event()

    def read():
        with pytest.raises(UntrustedFileError, match="regular"):
            _untrusted.read(str(theirs / "fifo"))
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert ended.wait(10)


def test_a_device_is_not_read():
    with pytest.raises(UntrustedFileError, match="regular"):
        _untrusted.read("/dev/zero")


def test_what_is_not_there_is_the_systems_error(theirs):
    with pytest.raises(FileNotFoundError):
        _untrusted.read(str(theirs / "nothing"))
    (theirs / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        _untrusted.read(str(theirs / "file/below"))


@pytest.mark.parametrize("path", ["relative", "/a\0b", "/proc/self/fd/nothing"])
def test_nothing_to_read_is_none(path):
    assert _untrusted.text_or_none(path) is None


def test_no_descriptor_is_left_open(theirs):
    (theirs / "file").write_text("x")
    (theirs / "link").symlink_to("file")
    before = os.listdir("/proc/self/fd")
    _untrusted.read(str(theirs / "file"))
    _untrusted.text_or_none(str(theirs / "link"))
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_of_a_configuration_lines_that_are_none_are_left_out(theirs):
    (theirs / "app.ini").write_text("a = 1\n" + "x" * 3000 + "\nb = 2\n")
    assert _untrusted.configuration(str(theirs / "app.ini")) == "a = 1\nb = 2\n\n"
    assert _untrusted.configuration(str(theirs / "nothing")) == ""


def test_of_the_end_of_a_file_no_byte_is_lost(theirs):
    (theirs / "log").write_bytes(b"first\n\xff\xc3\xa9")
    assert _untrusted.tail(str(theirs / "log"), 4).encode("utf-8", "surrogateescape") == b"\n\xff\xc3\xa9"
    assert _untrusted.tail(str(theirs / "nothing"), 4) == ""


def test_names_in_a_directory_are_read_up_to_a_limit(theirs):
    for name in "abc":
        (theirs / name).touch()
    assert _untrusted.entries(str(theirs)) == ["a", "b", "c"]
    assert len(_untrusted.entries(str(theirs), limit=2)) == 2
    assert _untrusted.entries(str(theirs / "a")) == _untrusted.entries(str(theirs / "nothing")) == []


def test_files_below_a_directory_up_to_a_depth_and_without_symlinks(theirs):
    (theirs / "a/b/c").mkdir(parents=True)
    (theirs / "skipped").mkdir()
    for name in ("a/b/near", "a/b/c/far", "skipped/file"):
        (theirs / name).touch()
    (theirs / "loop").symlink_to(theirs)
    os.mkfifo(theirs / "fifo")
    found = _untrusted.files_below(str(theirs), 2, lambda _path, name: name == "skipped")
    assert [path for path, _when in found] == [str(theirs / "a/b/near")]
