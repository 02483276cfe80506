# SPDX-License-Identifier: GPL-3.0-or-later
"""Source directories: what counts as a change, and the way to the host and back to files."""

from __future__ import annotations

import io
import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _checks
from ansible_collections.wsgi.stack.plugins.module_utils.build import _directory
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

EXCLUDE = _checks.SOURCE_EXCLUDE


@pytest.fixture
def source(tmp_path):
    directory = tmp_path / "source"
    (directory / "shop/static").mkdir(parents=True)
    (directory / "empty").mkdir()
    (directory / "shop/wsgi.py").write_text("application = None\n")
    (directory / "manage.py").write_text("#!/usr/bin/python3\n")
    (directory / "manage.py").chmod(0o755)
    (directory / "current").symlink_to("shop")
    (directory / "dangling").symlink_to("/nowhere")
    (directory / ".git").mkdir()
    (directory / ".git/HEAD").write_text("ref")
    (directory / "shop/__pycache__").mkdir()
    (directory / "shop/__pycache__/wsgi.pyc").write_text("x")
    return directory


def content(directory):
    found = {}
    for path, directories, files in os.walk(directory):
        for name in directories + files:
            full = os.path.join(path, name)
            if os.path.islink(full):
                found[os.path.relpath(full, directory)] = os.readlink(full)
            elif os.path.isfile(full):
                with open(full, encoding="utf-8") as stream:
                    found[os.path.relpath(full, directory)] = (stream.read(), os.access(full, os.X_OK))
            else:
                found[os.path.relpath(full, directory)] = None
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda directory: (directory / "shop/wsgi.py").write_text("application = 1\n"),
        lambda directory: (directory / "shop/wsgi.py").rename(directory / "shop/other.py"),
        lambda directory: (directory / "shop/wsgi.py").chmod(0o755),
        lambda directory: (directory / "new").mkdir(),
        lambda directory: (directory / "empty").rmdir(),
        lambda directory: ((directory / "current").unlink(), (directory / "current").symlink_to("empty")),
    ],
)
def test_what_matters_to_an_app_changes_the_digest(source, change):
    before = _directory.digest(str(source), EXCLUDE)
    change(source)
    assert _directory.digest(str(source), EXCLUDE) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda directory: os.utime(directory / "shop/wsgi.py", (0, 0)),
        lambda directory: (directory / "shop/wsgi.py").chmod(0o600),
        lambda directory: (directory / ".git/HEAD").write_text("other"),
        lambda directory: (directory / "shop/__pycache__/wsgi.pyc").write_text("other"),
        lambda directory: os.mkfifo(directory / "pipe"),
    ],
)
def test_times_other_permissions_and_what_is_excluded_do_not(source, change):
    before = _directory.digest(str(source), EXCLUDE)
    change(source)
    assert _directory.digest(str(source), EXCLUDE) == before


@pytest.mark.parametrize(("pattern", "gone"), [("shop", "shop/wsgi.py"), ("*.py", "manage.py"), ("shop/static", "shop/static")])
def test_a_pattern_fits_a_name_or_a_path(source, tmp_path, pattern, gone):
    archive = tmp_path / "archive"
    with open(archive, "wb") as stream:
        _directory.pack(str(source), [pattern], stream)
    _directory.unpack(str(archive), str(tmp_path / "target"))
    assert gone in content(source)
    assert gone not in content(tmp_path / "target")


def test_an_archive_has_the_digest_of_its_directory_and_becomes_the_same_files(source, tmp_path):
    archive = tmp_path / "archive"
    with open(archive, "wb") as stream:
        packed = _directory.pack(str(source), EXCLUDE, stream)
    assert packed == _directory.digest(str(source), EXCLUDE)
    _directory.unpack(str(archive), str(tmp_path / "target"))
    expected = {path: item for path, item in content(source).items() if ".git" not in path and "__pycache__" not in path}
    assert content(tmp_path / "target") == expected
    assert _directory.digest(str(tmp_path / "target"), []) == packed


def test_two_archives_of_the_same_files_differ_in_no_byte_that_counts(source):
    assert _directory.pack(str(source), EXCLUDE, io.BytesIO()) == _directory.pack(str(source), EXCLUDE, io.BytesIO())


def test_a_full_disk_is_told_as_such(tmp_path, monkeypatch):
    said = "tar: big: Wrote only 2048 of 10240 bytes\ntar: Exiting with failure status due to previous errors\n"
    monkeypatch.setattr(_directory, "run", lambda argv, timeout: Completed(tuple(argv), 2, said))
    with pytest.raises(StackError, match=rf"^No space left on device: {tmp_path}/target, on the file system at /"):
        _directory.unpack("archive", str(tmp_path / "target"))


def test_a_broken_archive_is_an_apps_failure(tmp_path):
    (tmp_path / "archive").write_text("no archive")
    with pytest.raises(StackError, match="cannot be unpacked"):
        _directory.unpack(str(tmp_path / "archive"), str(tmp_path / "target"))
