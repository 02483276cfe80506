# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment file of a source."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _variables
from ansible_collections.wsgi.stack.tests import apps

SOURCE = {"git": "https://git.example.com/shop.git"}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source/config").mkdir(parents=True)
    (tmp_path / "source/config/shop.env").write_text("A=$(id)\n")
    (tmp_path / "source/config/shop.env").chmod(0o640)
    return tmp_path / "source"


def of_source(source, path):
    return _variables.of_source(apps.resolved(source=SOURCE, environment_file=path), str(source))


def test_a_file_of_the_source_is_read(source):
    assert of_source(source, "config/shop.env") == {"A": "$(id)"}
    assert of_source(source, "config/../config//shop.env") == {"A": "$(id)"}


def test_a_file_that_is_far_too_large_is_refused(source):
    (source / "config/shop.env").write_text("#" * (1 << 20))
    assert of_source(source, "config/shop.env") == {}
    (source / "config/shop.env").write_text("#" * ((1 << 20) + 1))
    with pytest.raises(StackError, match=r"config/shop.env, it has more than 1 MiB; correct the file"):
        of_source(source, "config/shop.env")


def test_a_link_inside_the_source_is_followed(source):
    (source / "link").symlink_to("config/shop.env")
    assert of_source(source, "link") == {"A": "$(id)"}


@pytest.mark.parametrize(
    ("path", "target", "cause"),
    [
        ("link", "/etc/passwd", "link is a symlink to /etc/passwd, outside the source; put the file into the source."),
        ("link", "../outside", "link is a symlink to "),
        ("link/passwd", "/etc", "link/passwd is a symlink to /etc/passwd, outside"),
        ("link", ".", "link is a symlink to "),
        ("link", "nowhere", "the source has no file link; correct environment_file, or add the file to the source."),
        ("config", None, "the source has no file config; "),
        ("other.env", None, "the source has no file other.env; "),
        (
            "bad.env",
            None,
            "bad.env, line 1: there is no '='; write NAME=VALUE; correct the file. The running release is unchanged.",
        ),
        ("open.env", None, "open.env is in a static directory, which nginx serves to everybody; move one of the two."),
    ],
)
def test_a_file_of_the_source_that_is_none_is_refused(source, path, target, cause):
    (source.parent / "outside").write_text("A=1\n")
    (source / "bad.env").write_text("s3cret\n")
    (source / "bad.env").chmod(0o640)
    (source / "open.env").write_text("A=1\n")
    (source / "open.env").chmod(0o644)
    if target:
        (source / "link").symlink_to(target)
    with pytest.raises(StackError) as caught:
        of_source(source, path)
    assert caught.value.step == "environment"
    assert caught.value.cause.startswith(cause)
