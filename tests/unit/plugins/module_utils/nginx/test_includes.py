# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files nginx's configuration includes."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx._includes import files, unread

BOTH = ("conf.d/wsgi.conf", "sites-enabled/shop.conf")


@pytest.fixture
def nginx(tmp_path):
    """Writes files of a configuration, the main one first, and returns what is said of those of the collection."""
    directory = tmp_path / "nginx"
    directory.mkdir()

    def nginx(main, **others):
        for name, text in {"nginx": main, **others}.items():
            (directory / f"{name}.conf").write_text(text.replace("HERE", str(directory)))
        return unread([str(directory / path) for path in BOTH], str(directory / "nginx.conf")).replace(str(directory), "HERE")

    nginx.directory = directory
    return nginx


@pytest.mark.parametrize(
    "main",
    [
        "http { include HERE/conf.d/*.conf; include HERE/sites-enabled/*; }",
        "http { include conf.d/*.conf; include ./sites-enabled/*.conf; }",
        "http { include [cs]*/*.conf; }",
        "events {} http { include mime.types; include rest.conf; }",
    ],
)
def test_what_is_included_is_read(nginx, main):
    assert nginx(main, rest="include conf.d/*.conf; include sites-enabled/*;") == ""


def test_a_directory_may_be_a_symlink(nginx, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    (nginx.directory / "sites-enabled").symlink_to(moved)
    assert nginx(f"http {{ include HERE/conf.d/*; include {moved}/*; }}") == ""


@pytest.mark.parametrize(
    ("main", "files", "lines"),
    [
        (
            "http { include HERE/conf.d/*.conf; }",
            "HERE/sites-enabled/shop.conf",
            "'include HERE/sites-enabled/*.conf;'",
        ),
        (
            "http { include HERE/*; include HERE/sites-enabled/*.vhost; }",
            "HERE/conf.d/wsgi.conf and HERE/sites-enabled/shop.conf",
            "'include HERE/conf.d/*.conf;' and 'include HERE/sites-enabled/*.conf;'",
        ),
    ],
)
def test_what_is_not_included_is_told_with_the_lines_to_add(nginx, main, files, lines):
    assert nginx(main) == (
        f"nginx would not read {files}, which HERE/nginx.conf does not include; add {lines} to its http block and run again."
    )


def test_without_nginx_nothing_is_missing(tmp_path):
    assert unread([str(tmp_path / "conf.d/wsgi.conf")], str(tmp_path / "nginx.conf")) == ""


def test_files_that_include_each_other_are_read_once(nginx):
    nginx("include HERE/one.conf;", one="include HERE/nginx.conf;")
    assert [path.rpartition("/")[2] for path, _text, _patterns in files(str(nginx.directory / "nginx.conf"))] == [
        "nginx.conf",
        "one.conf",
    ]
