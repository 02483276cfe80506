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


@pytest.mark.parametrize("target", ["/etc/hostname", "/dev/zero", "nowhere"])
def test_a_symlink_of_somebody_else_is_not_followed(theirs, target):
    (theirs / "link").symlink_to(target)
    with pytest.raises(UntrustedFileError, match="symlink"):
        _untrusted.read(str(theirs / "link"))


def test_nor_is_one_on_the_way(theirs):
    (theirs / "link").symlink_to("/etc")
    with pytest.raises(UntrustedFileError, match="symlink"):
        _untrusted.read(str(theirs / "link/hostname"))


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
