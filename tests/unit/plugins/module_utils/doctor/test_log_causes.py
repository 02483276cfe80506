# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _log_causes
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._log_causes import (
    LogCause,
    cleaned,
    last_cause,
    of_run_before,
    of_this_run,
)

GUNICORN = """
[2026-01-02 03:04:05 +0000] [12] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/srv/shop/app.py", line 1, in <module>
    import stripe_sdk
ModuleNotFoundError: No module named 'stripe_sdk'
[2026-01-02 03:04:05 +0000] [12] [INFO] Worker exiting (pid: 12)
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
[2026-01-02 03:04:05 +0000] [11] [ERROR] Reason: Worker failed to boot.
"""


@pytest.mark.parametrize(
    ("text", "kind", "subject"),
    [
        (GUNICORN, "module", "stripe_sdk"),
        ("2026-01-02T03:04:05+0000 host uwsgi[12]: ImportError: No module named shop.wsgi", "module", "shop.wsgi"),
        ("KeyError: 'DATABASE_URL'", "variable", "DATABASE_URL"),
        (
            "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.",
            "service",
            "localhost:6379",
        ),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "service", ""),
        ("socket.gaierror: [Errno -2] Name or service not known", "name", ""),
        ('OperationalError: could not translate host name "db" to address: Name or service not known', "name", "db"),
        ("redis.exceptions.ConnectionError: Error -2 connecting to redis:6379. Name or service not known.", "name", "redis"),
        ('ERROR:    Error loading ASGI app. Could not import module "main".', "module", "main"),
        ('ERROR:    Error loading ASGI app. Attribute "wsgi" not found in module "app".', "attribute", "wsgi"),
        ("hypercorn.utils.NoAppError: Cannot load application from 'app:wsgi', application not found.", "attribute", "wsgi"),
        ("TypeError: create_app() takes 0 positional arguments but 2 were given", "factory", "create_app"),
        (
            'OperationalError: connection to server at "127.0.0.1", port 5432 failed: Connection refused\n\tIs it running?\n',
            "service",
            "",
        ),
        ('psycopg2.OperationalError: FATAL:  password authentication failed for user "shop"', "database", "shop"),
        (
            "pymysql.err.OperationalError: (1045, \"Access denied for user 'shop'@'localhost' (using password: YES)\")",
            "database",
            "",
        ),
        ("sqlite3.OperationalError: no such table: auth_user", "table", "auth_user"),
        ('psycopg.errors.UndefinedTable: relation "auth_user" does not exist', "table", "auth_user"),
        ("TypeError: FastAPI.__call__() missing 1 required positional argument: 'send'", "interface", "send"),
        ("TypeError: Flask.__call__() missing 1 required positional argument: 'start_response'", "interface", "start_response"),
        ("[2026-01-02 03:04:05 +0000] [12] [ERROR] Connection in use: ('127.0.0.1', 8000)", "address", "('127.0.0.1', 8000)"),
        ("probably another instance of uWSGI is running on the same address (:8000).", "address", ":8000"),
        ("Failed to find attribute 'application' in 'shop.wsgi'.", "attribute", "application"),
        ("PermissionError: [Errno 13] Permission denied: '/var/log/shop.log'", "permission", "/var/log/shop.log"),
        ("bind(): No such file or directory [core/socket.c line 230]", "directory", ""),
        ("/srv/shop/start: line 3: exec: gunicorn: not found", "command", "gunicorn"),
        ("gunicorn: error: unrecognized arguments: --wrokers", "option", "unrecognized arguments: --wrokers"),
        ("!!! UNABLE to load uWSGI plugin: ./python39_plugin.so: No such file !!!", "plugin", "./python39_plugin.so"),
        ("django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.", "exception", None),
        ("ValueError", "exception", "ValueError"),
        (
            "Traceback (most recent call last):\n  File 'a.py', line 1, in b\n    c()\na.MissingSecret: K\n",
            "exception",
            "a.MissingSecret",
        ),
        (
            "Error: Error: '/var/log/shop/error.log' isn't writable [FileNotFoundError(2, 'No such file or directory')]",
            "log_directory",
            "/var/log/shop/error.log",
        ),
        ("Error: '/v/e.log' isn't writable [PermissionError(13, 'Permission denied')]", "permission", "/v/e.log"),
        ("Error: Already running on PID 1 (or pid file '/srv/app.pid' is stale)", "pid_file", "/srv/app.pid"),
        ("-- unavailable modifier requested: 0 --", "no_plugin", ""),
        ("unable to load app 0 (mountpoint='') (callable not found or import error)", "import", ""),
    ],
)
def test_the_cause_is_found_in_the_log_of_a_server(text, kind, subject):
    found = last_cause(text)
    assert found.kind == kind
    assert subject is None or found.subject == subject


@pytest.mark.parametrize(
    "text", ["", "Worker exiting (pid: 12)", "BrokenPipeError: [Errno 32] Broken pipe", "OSError: write error"]
)
def test_what_is_no_cause_is_not_taken_for_one(text):
    assert last_cause(text) is None


def test_the_last_cause_counts():
    text = "ValueError: a\nModuleNotFoundError: No module named 'b'\nWorker failed to boot\n"
    assert last_cause(text).subject == "b"


def test_a_log_is_shown_without_what_a_terminal_would_obey():
    assert cleaned("\x1b[31mred\x1b[0m \x1b]0;title\x07ok\x9bm\x07\u202e\r\n") == "red ok?m??\n"


def test_a_cause_is_one_short_line_without_credentials():
    found = last_cause(f"ValueError: postgres://shop:secret@db/ {'x' * 1000}")
    assert len(found.text) == _log_causes.LENGTH
    assert "secret" not in found.text


def test_what_was_before_the_last_start_may_have_been_fixed():
    text = "ValueError: old\n*** Starting uWSGI 2.0.21 ***\nall is well\n"
    assert last_cause(of_this_run(text)) is None
    again = f"*** Starting uWSGI 2.0.21 ***\n{text}"
    assert last_cause(of_run_before(again)) == LogCause("exception", "ValueError: old", "ValueError")
    assert of_run_before(text) == ""
    assert last_cause(of_this_run("ValueError: old\n")) == LogCause("exception", "ValueError: old", "ValueError")
