# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _logs

DENIED = (
    "connect() to unix:/run/shop.sock failed (13: Permission denied) while connecting to upstream, client: 10.0.0.1,"
    ' server: shop.example.com, request: "GET /{} HTTP/1.1", upstream: "uwsgi://unix:/run/shop.sock:", host: "shop"'
)


def line(when, text, number=1, level="error"):
    return f"{time.strftime('%Y/%m/%d %H:%M:%S', time.localtime(when))} [{level}] 12#12: *{number} {text}\n"


def test_lines_of_nginx_that_are_alike_are_told_once():
    now = float(int(time.time()))
    text = line(now - 9, DENIED.format("old")) + line(now - 3, DENIED.format("a")) + line(now - 2, DENIED.format("b"), 2)
    text += line(now - 1, "something else", level="notice") + "no line of nginx\n"
    (found,) = _logs.nginx_errors(text, now - 5)
    assert (found.count, found.last, found.server) == (2, now - 2, "shop.example.com")
    assert "GET" not in str(found)
    assert str(found).endswith("(13: Permission denied) while connecting to upstream (2 times)")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("Traceback (most recent call last):", False),
        ("django.db.utils.OperationalError: no such table: shop", True),
        ("ModuleNotFoundError: No module named 'flask'", True),
        ("--- no python application found, check your startup logs for errors ---", True),
        ("!!! UNABLE to load uWSGI plugin: python99_plugin.so !!!", True),
        ("!!!!!!!!!!!!!! WARNING !!!!!!!!!!!!!!", False),
        ("[2026-01-02 03:04:05 +0000] [12] [ERROR] Exception in worker process", True),
        ("[2026-01-02 03:04:05 +0000] [12] [INFO] Booting worker with pid: 12", False),
        ("Listen queue size is greater than the system max net.core.somaxconn (128).", True),
        ('10.0.0.1 - - "GET /error HTTP/1.1" 200', False),
    ],
)
def test_lines_of_an_app_that_matter_are_kept(line, kept):
    assert bool(_logs.app_errors(line)) == kept


def test_lines_of_an_app_that_are_alike_are_told_once():
    text = "".join(f"2026-01-02T03:04:0{second}+0000 host uwsgi[{second}]: ValueError: wrong\n" for second in range(3))
    (found,) = _logs.app_errors(text)
    assert str(found) == "ValueError: wrong (3 times)"


def test_credentials_are_not_shown():
    (shown,) = _logs.shown([_logs.LogLine("Error: cannot reach postgres://shop:secret@db/shop")])
    assert "secret" not in shown


def test_the_end_of_a_log_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_logs, "TAIL_BYTES", 4)
    (tmp_path / "log").write_text("0123456789")
    assert _logs.tail(str(tmp_path / "log")) == "6789"
    assert _logs.tail(str(tmp_path / "none")) == ""


def test_a_line_with_a_time_that_is_none_is_passed_over():
    assert _logs.nginx_errors("9999/99/99 99:99:99 [error] 1#1: x\n", 0) == []
