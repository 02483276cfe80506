# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _dump


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (["/usr/bin/python3"], ["nginx"]),
        (["nginx: master process /usr/sbin/nginx -g daemon on; master_process on;"], ["/usr/sbin/nginx"]),
        (["nginx: master process nginx -c /srv/n.conf"], ["nginx", "-c", "/srv/n.conf"]),
    ],
)
def test_the_running_nginx_says_where_its_configuration_is(title, expected):
    assert _dump.command({7: title}) == expected


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
    _dump.test()
    assert [path.exists() for path in (log, old, pid)] == [False, True, False]
