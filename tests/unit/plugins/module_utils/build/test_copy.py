# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a build over from its user: a copy that nobody has open, and that has nothing but files, directories and symlinks."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _copy, _permissions
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files


@pytest.fixture(autouse=True)
def owners(monkeypatch):
    """The owners that were given, by path; none is, so that the test needs no root."""
    given = {}

    def chown(path, uid, gid, follow_symlinks=True):
        assert follow_symlinks is False
        given[path] = (uid, gid)

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "fchown", lambda file, uid, gid: chown(os.readlink(f"/proc/self/fd/{file}"), uid, gid, False))
    return given


@pytest.fixture
def tree(tmp_path):
    directory = tmp_path / "tree"
    directory.mkdir()
    return directory


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_all_is_taken_over_and_no_link_is_followed(tmp_path, tree, owners):
    outside = tmp_path / "outside"
    (outside / "directory").mkdir(parents=True)
    (outside / "file").write_text("theirs")
    (outside / "file").chmod(0o600)
    (tree / "sub").mkdir()
    (tree / "sub").chmod(0o777)
    (tree / "program").write_text("program")
    (tree / "program").chmod(0o4777)
    (tree / "sub/data").write_text("data")
    (tree / "sub/data").chmod(0o444)
    (tree / "file").symlink_to(outside / "file")
    (tree / "directory").symlink_to(outside)
    os.mkfifo(tree / "pipe")
    _permissions.take_over(str(tree), 4242)
    assert mode(tree) == mode(tree / "sub") == 0o751
    assert mode(tree / "program") == 0o750
    assert mode(tree / "sub/data") == 0o640
    assert (tree / "program").read_text() + (tree / "sub/data").read_text() == "programdata"
    assert sorted(os.listdir(tree)) == ["directory", "file", "program", "sub"]
    assert sorted(os.listdir(tmp_path)) == ["outside", "tree"]
    ours = [tree, *tree.rglob("*")]
    copies = {f"{tree}.new{str(path)[len(str(tree)) :]}": (0, 4242) for path in ours}
    assert owners == {**copies, str(tree): (0, 0), str(tree / "sub"): (0, 0)}
    assert (mode(outside / "file"), (outside / "file").read_text()) == (0o600, "theirs")


def test_who_has_a_file_or_a_directory_open_reaches_nothing_of_the_copy(tree):
    (tree / "sub").mkdir()
    (tree / "sub").chmod(0o777)
    (tree / "app.py").write_text("as it was")
    directory = os.open(tree / "sub", os.O_RDONLY)
    with open(tree / "app.py", "r+", encoding="utf-8") as kept:
        _permissions.take_over(str(tree), 4242)
        kept.write("changed")
    with pytest.raises(FileNotFoundError):
        os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=directory)
    os.close(directory)
    assert (tree / "app.py").read_text() == "as it was"
    assert os.listdir(tree / "sub") == []


def test_a_copy_is_like_the_original(tree):
    (tree / "one").write_text("linked")
    os.link(tree / "one", tree / "two")
    with open(tree / "sparse", "wb") as stream:
        stream.seek(1 << 32)
        stream.write(b"end")
    (tree / "empty").touch()
    old = {"one": 1_000_000_000_123_456_789, "empty": -5}
    for name, when in old.items():
        os.utime(tree / name, ns=(0, when))
    os.utime(tree, ns=(0, 42))
    _permissions.take_over(str(tree), 4242)
    assert {name: (tree / name).stat().st_mtime_ns for name in old} == old
    assert tree.stat().st_mtime_ns == 42
    assert (tree / "one").samefile(tree / "two")
    assert (tree / "two").read_text() == "linked"
    sparse = (tree / "sparse").stat()
    assert sparse.st_size == (1 << 32) + 3
    assert sparse.st_blocks < 1000
    with open(tree / "sparse", "rb") as stream:
        stream.seek(1 << 32)
        assert stream.read() == b"end"


@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.EXDEV])
def test_a_file_system_without_copy_file_range_does(tree, monkeypatch, error):
    def fail(*_arguments):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "copy_file_range", fail)
    content = os.urandom(3 << 20)
    (tree / "file").write_bytes(content)
    _permissions.take_over(str(tree), 4242)
    assert (tree / "file").read_bytes() == content


def test_a_full_disk_is_told(tree, monkeypatch):
    def fail(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", fail)
    (tree / "file").write_text("content")
    with pytest.raises(StackError, match=r"^No space left on device: .*/tree\.new, on the file system at /.*; free some"):
        _permissions.take_over(str(tree), 4242)


def test_what_belongs_to_somebody_else_is_refused(tree, owners):
    (tree / "file").write_text("")
    copy = _copy.Copy(str(tree), f"{tree}.new", 4242)
    copy.uid += 1
    for path, work in ((tree, copy.make), (tree / "file", lambda: copy._copy_file(f"{tree}/file", f"{tree}/new"))):
        with pytest.raises(StackError, match=rf"^{path} belongs to another user \(id {os.getuid()}\)"):
            work()
    assert owners == {}


def test_a_file_with_a_lease_of_somebody_does_not_stop_root(tree):
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # which tells who has a lease that somebody else wants the file
    (tree / "file").write_text("")
    with open(tree / "file", "r+b") as stream:
        fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        with pytest.raises(StackError, match="file is locked by a process outside the build; correct"):
            _permissions.take_over(str(tree), 4242)
    signal.signal(signal.SIGIO, before)


def test_a_tree_that_is_too_deep_is_refused_and_told(tree):
    here = os.open(tree, os.O_RDONLY)
    for _level in range(3000):
        os.mkdir("deep", dir_fd=here)
        there = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    try:
        with pytest.raises(StackError, match=r"directories in .* that are nested too deeply; correct what makes them"):
            _permissions.take_over(str(tree), 4242)
    finally:
        for path in (str(tree), f"{tree}.new"):
            _files.remove(path)
