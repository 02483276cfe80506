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
    found = _edit.edit(str(link), 2, old, new)
    if found:
        subprocess.run(["sed", "-i", found.script, found.path], check=True)
    assert bool(found) == (after is not None)
    assert file.read_text().splitlines()[1] == (LINE if after is None else after)
    assert link.is_symlink()


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


def started(tmp_path, command, accepts):
    """Run a command with a stand-in for nginx, and tell how it ends and what it printed."""
    for name, does in {"nginx": f"exit {int(not accepts)}", "systemctl": "echo loaded"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout.strip() or done.stderr.strip()


@pytest.mark.parametrize("accepts", [True, False])
def test_what_nginx_rejects_is_put_back_and_no_copy_replaces_another(tmp_path, monkeypatch, accepts):
    monkeypatch.setattr(_edit, "BACKUPS", f"{tmp_path}/copy.XXXXXX")
    files = [tmp_path / "a b" / "site", tmp_path / "c" / "site"]
    for file in files:
        file.parent.mkdir()
        file.write_text("one\ntwo\n")
        file.chmod(0o640)
    edits = [_edit.Edit(str(files[0]), script) for script in ("1s#one#1#", "2s#two#2#")]
    command = _edit.applied([*edits, _edit.Edit(str(files[1]), "1s#one#3#")])
    for _time in range(2):
        assert started(tmp_path, command, accepts) == ((0, "loaded") if accepts else (1, ""))
    assert [file.read_text() for file in files] == (["1\n2\n", "3\ntwo\n"] if accepts else ["one\ntwo\n"] * 2)
    assert [file.stat().st_mode & 0o777 for file in files] == [0o640] * 2
    copies = [path.read_text() for path in tmp_path.glob("copy.*/*")]
    assert sorted(copies) == sorted(["one\ntwo\n"] * (2 if accepts else 4) + ["1\n2\n", "3\ntwo\n"] * accepts)


@pytest.mark.parametrize("accepts", [True, False])
def test_a_link_that_nginx_needs_comes_back(tmp_path, monkeypatch, accepts):
    monkeypatch.setattr(_edit, "BACKUPS", f"{tmp_path}/copy.XXXXXX")
    link = tmp_path / "a link"
    link.symlink_to("site")
    assert started(tmp_path, _edit.removed(str(link)), accepts) == ((0, "loaded") if accepts else (1, ""))
    assert link.is_symlink() == (not accepts)
    assert [path.name for path in tmp_path.glob("copy.*/*")] == ["a link"] * accepts


def test_a_change_that_is_not_safe_makes_no_command():
    assert [_edit.applied(edits) for edits in ([], [None], [_edit.Edit("/a", "d"), None])] == ["", "", ""]
