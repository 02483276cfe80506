# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _unused_files
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _dump

SITE = "server {{ server_name {0}.test; location / {{ proxy_pass http://unix:/{0}.sock; }} }}"


@pytest.fixture
def root(tmp_path):
    for name in ("conf.d", "sites-available", "sites-enabled"):
        (tmp_path / name).mkdir()
    (tmp_path / "nginx.conf").write_text("http { include conf.d/*.conf; include sites-enabled/*; }\n")
    (tmp_path / "sites-available/here").write_text(SITE.format("here"))
    (tmp_path / "sites-enabled/here").symlink_to("../sites-available/here")
    return tmp_path


def look(root, running=("unix:/a.sock",)):
    configuration = _configuration.parse(_dump.from_disk(str(root / "nginx.conf")))
    unused = _unused_files.find(str(root), configuration)
    return [finding for each in unused for finding in _unused_files.judge(each, configuration, running, str(root))]


LOAD = "nginx -t && systemctl reload-or-restart nginx"


@pytest.mark.parametrize(
    ("path", "content", "running", "severity", "fix"),
    [
        (
            "conf.d/a.cfg",
            "a",
            True,
            "warning",
            "mv ROOT/conf.d/a.cfg ROOT/conf.d/a.conf && { LOAD || mv ROOT/conf.d/a.conf ROOT/conf.d/a.cfg; }",
        ),
        ("conf.d/a.test", "a", True, "warning", "mv ROOT/conf.d/a.test ROOT/conf.d/a.test.conf && "),
        ("conf.d/a.cfg", "a", False, "note", "mv "),
        ("conf.d/a.conf.bak", "a", True, "", ""),
        ("conf.d/a.cfg", "here", True, "", ""),
        (
            "sites-available/a",
            "a",
            True,
            "warning",
            "ln -s ../sites-available/a ROOT/sites-enabled/a && { LOAD || rm ROOT/sites-enabled/a; }",
        ),
        ("sites-available/a", "a", False, "", ""),
        ("sites-available/a", "here", True, "", ""),
    ],
)
def test_a_file_of_a_site_that_nginx_does_not_read(root, path, content, running, severity, fix):
    (root / path).write_text(SITE.format(content))
    found = look(root, ("unix:/a.sock",) if running else ())
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(finding.fix.startswith(fix.replace("ROOT", str(root)).replace("LOAD", LOAD)) for finding in found), found


def test_a_directory_that_nothing_includes(root):
    (root / "nginx.conf").write_text("http { include conf.d/*.conf; }\n")
    (finding,) = look(root, ("unix:/here.sock",))
    assert finding.fix == f"Add 'include {root}/sites-enabled/*' to the block http of {root}/nginx.conf."


def test_no_file_is_overwritten(root):
    (root / "conf.d/a.cfg").write_text(SITE.format("a"))
    (root / "conf.d/a.conf").write_text("# nothing\n")
    (finding,) = look(root)
    assert finding.fix == f"Move {root}/conf.d/a.cfg to where nginx includes it."


def test_what_cannot_be_read_or_has_no_app_is_passed_over(root):
    (root / "conf.d/a.cfg").write_text("server { { { return 404;")
    (root / "conf.d/b.cfg").mkdir()
    (root / "conf.d/c.cfg").symlink_to("/nowhere")
    (root / "conf.d/d.cfg").write_bytes(b"\xff\x00server")
    assert look(root) == []
