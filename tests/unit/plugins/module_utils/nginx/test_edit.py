# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit, _syntax

LINE = "  location / { proxy_pass   http://[::1]:80/a.b&c; } # proxy_pass"


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        (
            "proxy_pass",
            "proxy_set_header Host $host; proxy_pass",
            LINE.replace("proxy_pass", "proxy_set_header Host $host; proxy_pass", 1),
        ),
        ("proxy_pass http://[::1]:80/a.b&c", "return '4#4&'", "  location / { return '4#4&'; } # proxy_pass"),
        ("proxy_pass http://[::1]:80/axb", "", None),
        ("proxy", "", None),
        ("location", "location", LINE),
    ],
)
def test_a_line_is_changed_if_the_words_are_there_once(tmp_path, monkeypatch, old, new, after):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    file, link = tmp_path / "site", tmp_path / "link"
    file.write_text(f"server {{\n{LINE}\n}}\n")
    link.symlink_to(file)
    command, loading = (_edit.replace(str(link), 2, old, new, load=load) for load in (False, True))
    subprocess.run(["sh", "-c", command], check=True)
    assert bool(command) == (after is not None)
    assert file.read_text().splitlines()[1] == (LINE if after is None else after)
    assert link.is_symlink()
    assert loading == (f"{command} && {_edit.LOAD}" if command else "")


def test_words_that_are_there_twice_or_elsewhere_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    file = tmp_path / "site"
    file.write_text("location /a { proxy_pass http://a; } location /b { proxy_pass http://b; }\n# proxy_pass\n")
    assert [_edit.replace(str(file), line, "proxy_pass", "") for line in (0, 1, 2, 3)] == [""] * 4
    directive = _syntax.Directive("proxy_pass", ("http://a",), str(file), 1)
    assert (_edit.before(directive, "x;"), _edit.place(directive)) == ("", f"{file}:1")


def test_a_file_that_others_can_change_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: False)
    (tmp_path / "site").write_text("proxy_pass http://a;\n")
    assert _edit.replace(str(tmp_path / "site"), 1, "proxy_pass", "x") == ""
