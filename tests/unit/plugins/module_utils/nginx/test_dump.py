# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _dump


def test_a_configuration_that_fails_its_test_is_read_from_the_disk(tmp_path):
    main = tmp_path / "nginx.conf"
    main.write_text("http { include sites/*; }\n")
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/a").write_text("server { listen 80 wrong; location / { uwsgi_pass unix:/a.sock; } }\n")
    failed = Completed(("nginx", "-c", str(main), "-T"), 1, "nginx: [emerg] invalid parameter")
    (found,) = _configuration.parse(_dump.dumped(failed)).upstreams
    assert (found.address, found.file) == ("unix:/a.sock", str(tmp_path / "sites/a"))


def test_a_test_leaves_no_files_behind(tmp_path, monkeypatch):
    log, old, pid = (tmp_path / name for name in ("new.log", "old.log", "nginx.pid"))
    (tmp_path / "nginx.conf").write_text(f"pid {pid}; http {{ access_log {log}; error_log {old}; }}")
    old.write_text("")

    def run(argv, **_options):
        for path in (log, pid):
            path.touch()
        return Completed(tuple(argv), 0, "")

    monkeypatch.setattr(_dump, "run", run)
    monkeypatch.setattr(_dump, "MAIN", str(tmp_path / "nginx.conf"))
    monkeypatch.setattr(_dump, "command", lambda: ["nginx"])
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda path: path == str(tmp_path))
    _dump.test()
    assert [path.exists() for path in (log, old, pid)] == [False, True, False]


def test_where_others_can_make_links_nothing_is_removed(tmp_path, monkeypatch):
    log = tmp_path / "new.log"
    (tmp_path / "nginx.conf").write_text(f"http {{ access_log {log}; }}")
    monkeypatch.setattr(_dump, "run", lambda argv, **_options: [log.touch(), Completed(tuple(argv), 0, "")][1])
    monkeypatch.setattr(_dump, "MAIN", str(tmp_path / "nginx.conf"))
    monkeypatch.setattr(_dump, "command", lambda: ["nginx"])
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: False)
    _dump.test()
    assert log.exists()


def test_an_include_that_is_no_file_is_passed_over(tmp_path):
    (tmp_path / "nginx.conf").write_text("http { include sites/*; }\n")
    (tmp_path / "sites").mkdir()
    os.mkfifo(tmp_path / "sites/a")
    (tmp_path / "sites/b").symlink_to("/dev/zero")
    (tmp_path / "sites/c").write_text("server { }\n")
    found = _dump.from_disk(str(tmp_path / "nginx.conf"))
    assert [line for line in found.splitlines() if line.startswith("#")] == [
        f"# configuration file {tmp_path}/nginx.conf:",
        f"# configuration file {tmp_path}/sites/c:",
    ]
