# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
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


BUILD = (
    "configure arguments: --prefix={0} --conf-path={0}/etc/nginx.conf --http-log-path={0}/log/access.log "
    "--pid-path={0}/run/nginx.pid --http-proxy-temp-path={0}/lib/proxy --modules-path={0}/modules"
)


def test_the_directories_that_a_test_of_the_configuration_would_change(tmp_path):
    for name in ("log/sites", "run", "lib", "etc", "modules", "srv/app/cache"):
        (tmp_path / name).mkdir(parents=True)
    text = f"""
        pid {tmp_path}/run/nginx.pid; error_log {tmp_path}/log/error.log;
        http {{
            proxy_cache_path {tmp_path}/srv/app/cache/one levels=1:2;
            access_log syslog:server=unix:/dev/log; access_log /dev/stdout; access_log off; error_log stderr;
            server {{ access_log {tmp_path}/log/sites/a.log; listen unix:{tmp_path}/srv/nginx.sock;
                      access_log {tmp_path}/nowhere/a.log; error_log {tmp_path}/$host/a.log; }}
        }}"""
    found = _dump.written({"/main": text}, BUILD.format(tmp_path))
    assert found == {
        f"{tmp_path}/lib": ["proxy"],
        f"{tmp_path}/log": ["access.log", "error.log"],
        f"{tmp_path}/log/sites": ["a.log"],
        f"{tmp_path}/run": ["nginx.pid"],
        f"{tmp_path}/srv": ["nginx.sock"],
        f"{tmp_path}/srv/app/cache": ["one"],
    }
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("printed", "code", "expected"),
    [
        ("wsgi.stack: ready\n# configuration file /a:\n", 0, 0),
        ("wsgi.stack: ready\nnginx: [emerg] unknown directive\n", 1, 1),
        ("wsgi.stack: ready\nnginx: [emerg] mkdir() failed (30: Read-only file system)\n", 1, _dump.UNTESTED),
        ("mount: /run: permission denied.\n       dmesg(1) may have more information.\n", 32, _dump.UNTESTED),
    ],
)
def test_what_cannot_be_tested_without_changing_files_is_not_tested(monkeypatch, printed, code, expected):
    asked = []

    def run(box, commands, **_options):
        asked.append((dict(box.properties), commands))
        return Completed(("mkdir",), code, printed)

    build = "--pid-path=/etc/nginx.pid --lock-path=/dev/lock"
    monkeypatch.setattr(_dump, "run", lambda argv, **_options: Completed(tuple(argv), 0, build))
    monkeypatch.setattr(_dump, "command", lambda: ["nginx"])
    monkeypatch.setattr(_dump, "from_disk", lambda *_main: "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(_sandbox.Sandbox, "run", run)
    tested = _dump.test()
    assert (tested.code, tested.argv) == (expected, ("nginx", "-T"))
    ((properties, commands),) = asked
    assert properties["ProtectSystem"] == "strict"
    assert [commands[0][:2], commands[0][4:], commands[1]] == [["sh", "-ec"], ["/etc", "nginx.pid", "/"], ["nginx", "-T"]]
    assert ("permission denied" in tested.last_line) == (code == 32)


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
