# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _log_lines
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._logs import LogLine
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence


def nginx(text, judge=lambda path: None):
    return _log_lines.of_nginx([LogLine(text)], judge, "www-data")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("512 worker_connections are not enough", "nginx_log"),
        ("sendfile() failed (32: Broken pipe) while sending request to upstream", "nginx_log"),
        ("accept4() failed (24: Too many open files)", "nginx_log"),
        ('open() "/srv/a.css" failed (24: Too many open files)', "nginx_log"),
        ("upstream timed out (110: Connection timed out) while reading response header from upstream", "upstream_timed_out"),
        ('open() "/var/lib/nginx/body/0000000001" failed (13: Permission denied)', "nginx_temporary_files"),
        ('open() "/var/lib/nginx/proxy/1/00/0000000001" failed (13: Permission denied)', "nginx_temporary_files"),
    ],
)
def test_a_line_of_nginx_that_explains_errors_is_a_finding(text, code):
    (found,) = nginx(text)
    assert (found.severity, found.code) == ("warning", code)


@pytest.mark.parametrize(
    "text",
    [
        'open() "/srv/static/512 worker_connections are not enough" failed (2: No such file or directory)',
        'open() "/srv/upstream sent too big header" failed (2: No such file or directory)',
        'open() "/srv/static/body/1" failed (13: Permission denied)',
    ],
)
def test_what_a_visitor_asked_for_is_none(text):
    assert nginx(text) == []


def test_the_directory_for_uploads_is_given_to_the_user_of_the_workers():
    (found,) = nginx('open() "/var/lib/nginx/body/0000000001" failed (13: Permission denied)')
    assert found.fix == "chown -R -h www-data /var/lib/nginx/body"


@pytest.mark.parametrize(
    "text",
    [
        'open() "/srv/shop/static/a.css" failed (13: Permission denied)',
        '"/srv/shop/static/a.css" is forbidden (13: Permission denied)',
        'stat() "/srv/shop/static/a.css" failed (13: Permission denied)',
    ],
)
def test_a_static_file_is_judged_by_its_path(text):
    (found,) = nginx(text, lambda path: Finding("warning", "static_forbidden", path))
    assert found.message == "/srv/shop/static/a.css"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("*** HARAKIRI ON WORKER 1 (pid: 12, try: 1) ***", "harakiri"),
        ("[CRITICAL] WORKER TIMEOUT (pid:12)", "worker_timeout"),
        ("Worker (pid:12) was sent SIGKILL! Perhaps out of memory?", "out_of_memory"),
        ("oom.service: A process of this unit has been killed by the OOM killer.", "out_of_memory"),
        ("invalid request block size: 6100 (max 4096)...skip", "request_too_large"),
        ("OSError: [Errno 24] Too many open files", "too_many_files"),
    ],
)
def test_a_line_of_an_app_that_explains_errors_is_a_finding(text, code):
    (found,) = _log_lines.of_app(f"x\n{text}\n{text}\n", "/srv/shop/shop.ini", "systemctl restart shop", "journalctl -u shop")
    assert found.code == code
    assert "(2 times, journalctl -u shop)" in found.message
    assert is_sentence(found.fix)
    assert re.search(r", then run: (systemctl daemon-reload && )?systemctl restart shop\.$", found.fix)


@pytest.mark.parametrize(
    ("text", "file", "restart", "command"),
    [
        (
            "WORKER TIMEOUT (pid:12)",
            "/etc/systemd/system/a.service",
            "systemctl restart a",
            "systemctl daemon-reload && systemctl",
        ),
        ("WORKER TIMEOUT (pid:12)", "/srv/a/gunicorn.py", "systemctl restart a", "systemctl restart a"),
        ("WORKER TIMEOUT (pid:12)", "/srv/a/gunicorn.py", "supervisorctl restart a", "supervisorctl restart a"),
        ("WORKER TIMEOUT (pid:12)", "/etc/supervisor/conf.d/a.conf", "supervisorctl restart a", "supervisorctl update a"),
        ("[Errno 24] Too many open files", "/srv/a.ini", "systemctl restart a", "systemctl daemon-reload && systemctl restart a"),
    ],
)
def test_a_changed_file_is_read_again(text, file, restart, command):
    (found,) = _log_lines.of_app(text, file, restart, "")
    assert f", then run: {command}" in found.fix


@pytest.mark.parametrize(
    "killed",
    ["Worker (pid:12) was sent SIGKILL! Perhaps out of memory?", "Worker with pid 12 was terminated due to signal 9"],
)
def test_a_worker_that_gunicorn_killed_after_its_timeout_did_not_run_out_of_memory(killed):
    text = f"[CRITICAL] WORKER TIMEOUT (pid:12)\n[ERROR] {killed}\n"
    assert [found.code for found in _log_lines.of_app(text, "", "", "")] == ["worker_timeout"]
    other = _log_lines.of_app(text.replace("(pid:12)", "(pid:7)", 1), "", "", "")
    assert [found.code for found in other] == ["worker_timeout", "out_of_memory"]


@pytest.mark.parametrize("size", [21573, 16709])
def test_a_request_in_another_protocol_is_not_one_that_is_too_large(size):
    assert _log_lines.of_app(f"invalid request block size: {size} (max 4096)...skip\n", "", "", "") == []
