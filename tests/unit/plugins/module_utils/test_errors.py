# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import textwrap

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line, for_each_app


@pytest.mark.parametrize(
    ("error", "step", "cause"),
    [
        (StackError("health", "it is ill."), "health", "it is ill."),
        (
            FileNotFoundError(2, "No such file or directory", "/x"),
            "host",
            "No such file or directory: /x; fix that and run again.",
        ),
        (TimeoutError("timed out"), "host", "timed out; fix that and run again."),
        (TimeoutError(), "host", "TimeoutError; fix that and run again."),
        (ValueError("a secret"), "host", "unexpected ValueError, which is a bug in wsgi.stack; report it with the log."),
        (KeyError("a secret"), "host", "unexpected KeyError, which is a bug in wsgi.stack; report it with the log."),
    ],
)
def test_an_apps_failure_is_no_other_apps(error, step, cause):
    def work(app):
        if app["name"] == "bad":
            raise error
        return 1

    results, (failure,) = for_each_app([{"name": name} for name in ("a", "bad", "b")], work, 2)
    assert results == {"a": 1, "b": 1}
    assert (failure["app"], failure["step"], failure["message"]) == ("bad", step, f"app bad: {step}: {cause}")
    assert ("raise error" in "".join(failure["log"])) == (step == "host")
    assert "a secret" not in str(failure)


# As pip 23, uv 0.13, pydantic 2, Django 5 and gunicorn 27 print them, with fewer frames.
PIP_VERSION = """\
  error: subprocess-exited-with-error

  \u00d7 Getting requirements to build wheel did not run successfully.
  \u2502 exit code: 1
  \u2570\u2500> [35 lines of output]
      Traceback (most recent call last):
        File "/v/lib/python3.11/site-packages/pip/_vendor/pyproject_hooks/_in_process/_in_process.py", line 353, in <module>
          main()
        File "/tmp/overlay/lib/python3.11/site-packages/packaging/version.py", line 466, in __init__
          raise InvalidVersion(f"Invalid version: {version!r}")
      packaging.version.InvalidVersion: Invalid version: 'not a version!'
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
error: subprocess-exited-with-error

\u00d7 Getting requirements to build wheel did not run successfully.
\u2502 exit code: 1
\u2570\u2500> See above for output.

note: This error originates from a subprocess, and is likely not a problem with pip.
"""
COMPILER = """\
building 'badc' extension
gcc -Wsign-compare -DNDEBUG -fPIC -I/v/include -c badc.c -o build/temp.linux-x86_64-cpython-311/badc.o
badc.c: In function \u2018f\u2019:
badc.c:2:22: error: \u2018nosuch\u2019 undeclared (first use in this function)
    2 | int f(void) { return nosuch; }
      |                      ^~~~~~
badc.c:2:22: note: each undeclared identifier is reported only once for each function it appears in
badc.c:2:30: warning: control reaches end of non-void function [-Wreturn-type]
error: Command '['gcc', '-fPIC', '-c', 'badc.c']' returned non-zero exit status 1.
"""
PIP_COMPILER = f"""\
  Building wheel for badc (pyproject.toml): finished with status 'error'
  error: subprocess-exited-with-error

  \u00d7 Building wheel for badc (pyproject.toml) did not run successfully.
  \u2502 exit code: 1
  \u2570\u2500> [14 lines of output]
{textwrap.indent(COMPILER, " " * 6)}\
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for badc
Failed to build badc
ERROR: Could not build wheels for badc, which is required to install pyproject.toml-based projects
"""
UV_COMPILER = f"""\
error: Failed to build `badc @ file:///badc`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

         [stderr]
{textwrap.indent(COMPILER, " " * 9)}
hint: Build failures usually indicate a problem with the package or the build environment
"""
PYDANTIC = """\
Traceback (most recent call last):
  File "/srv/s.py", line 4, in <module>
    Settings()
    ^^^^^^^^^^
pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings
database_url
  Field required [type=missing, input_value={}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.14/v/missing
"""
DJANGO = """\
Traceback (most recent call last):
  File "/v/lib/python3.11/site-packages/django/db/backends/postgresql/base.py", line 25, in <module>
    import psycopg2 as Database
ModuleNotFoundError: No module named 'psycopg2'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/v/lib/python3.11/site-packages/django/db/backends/postgresql/base.py", line 29, in <module>
    raise ImproperlyConfigured("Error loading psycopg2 or psycopg module")
django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg module
unable to load app 0 (mountpoint='') (callable not found or import error)
"""
GUNICORN = """\
[2026-11-28 05:57:32 +0000] [28321] [INFO] Starting gunicorn 27.0.1
[2026-11-28 05:57:32 +0000] [28321] [ERROR] Connection in use: ('127.0.0.1', 8765)
[2026-11-28 05:57:32 +0000] [28321] [ERROR] connection to ('127.0.0.1', 8765) failed: [Errno 98] Address already in use
[2026-11-28 05:57:37 +0000] [28321] [ERROR] Can't connect to ('127.0.0.1', 8765)
"""
NO_MATCH = (
    "ERROR: Could not find a version that satisfies the requirement flask==99 (from versions: 0.1, 0.2)\n"
    "ERROR: No matching distribution found for flask==99\n\n[notice] A new release of pip is available: 24.0 -> 25.0\n"
)
VALIDATION = (
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings database_url Field required"
    " [type=missing, input_value={}, input_type=dict]"
)
PSYCOPG = (
    'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    connect()\n'
    'psycopg.OperationalError: connection to server at "db", port 5432 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?\n"
)
NPM_SCRIPT = """\
npm ERR! Missing script: "build"
npm ERR!
npm ERR! To see a list of scripts, run:
npm ERR!   npm run

npm ERR! A complete log of this run can be found in:
npm ERR!     /var/cache/wsgi-build/shop/.npm/_logs/2026-11-28T15_44_18_000Z-debug-0.log
"""

NPM_PACKAGE = """\
npm error code E404
npm error 404 Not Found - GET https://registry.example.com/x - Not found
npm error 404
npm error A complete log of this run can be found in: /var/cache/wsgi-build/shop/.npm/_logs/2026-debug-0.log
"""

NO_DIRECTORY = (
    "[2026-11-28 05:57:37 +0000] [28585] [INFO] Starting gunicorn 27.0.1\n[2026-11-28 05:57:37 +0000] [28585] [ERROR]"
    " connection to /nodir/x.sock failed: [Errno 2] No such file or directory\n"
    "[2026-11-28 05:57:42 +0000] [28585] [ERROR] Can't connect to /nodir/x.sock\n"
)
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/x.py", line 9, in <module>
  |     asyncio.run(main())
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/x.py", line 3, in fetch
    |     raise ValueError("no token")
    | ValueError: no token
    +------------------------------------
"""
SQLALCHEMY = """\
Traceback (most recent call last):
  File "/v/lib/python3.11/site-packages/sqlalchemy/engine/base.py", line 146, in __init__
    self._dbapi_connection = engine.raw_connection()
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) unable to open database file
(Background on this error at: https://sqlalche.me/e/20/e3q8)
"""
UWSGI_BIND = """\
*** Starting uWSGI 2.0.21-debian (64bit) on [Sat Nov 28 06:00:00 2026] ***
compiled with version: 12.2.0 on 27 May 2023 22:51:41
bind(): Address already in use [core/socket.c line 769]
thunder lock: disabled (you can enable it with --thunder-lock)
VACUUM: unix socket /run/wsgi/shop/blue.sock removed.
"""
GUNICORN_BOOT = """\
[2026-11-28 05:57:32 +0000] [9] [INFO] Booting worker with pid: 9
[2026-11-28 05:57:32 +0000] [9] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/v/lib/python3.11/site-packages/gunicorn/arbiter.py", line 609, in spawn_worker
    worker.init_process()
ModuleNotFoundError: No module named 'flask'
[2026-11-28 05:57:32 +0000] [9] [INFO] Worker exiting (pid: 9)
[2026-11-28 05:57:33 +0000] [8] [ERROR] Worker (pid:9) exited with code 3
[2026-11-28 05:57:33 +0000] [8] [ERROR] Reason: Worker failed to boot.
"""
# As gunicorn 21 ends if a second worker fails while it stops the others.
GUNICORN_HALT = f"""\
{GUNICORN_BOOT}\
Traceback (most recent call last):
  File "/v/lib/python3.11/site-packages/gunicorn/arbiter.py", line 208, in run
    self.sleep()
  File "/v/lib/python3.11/site-packages/gunicorn/arbiter.py", line 530, in reap_workers
    raise HaltServer(reason, self.WORKER_BOOT_ERROR)
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/v/lib/python3.11/site-packages/gunicorn/arbiter.py", line 530, in reap_workers
    raise HaltServer(reason, self.WORKER_BOOT_ERROR)
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (
            "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'flask'\nunable to load app 0\n",
            "ModuleNotFoundError: No module named 'flask'",
        ),
        (
            "*** Starting uWSGI ***\nbind(): Address already in use [core/socket.c line 227]\nVACUUM: /run/blue.sock removed.\n",
            "bind(): Address already in use [core/socket.c line 227]",
        ),
        ('unable to find "app" callable in file x.py\nunable to load app 0 (callable not found)\n*** no app loaded ***\n', None),
        ("bind(): Permission denied\n\n", "bind(): Permission denied"),
        ("bind(): Permission denied\nVACUUM: unix socket /run/a.sock removed.\n", "bind(): Permission denied"),
        ("VACUUM: unix socket /run/a.sock removed.\n", ""),
        ('*** Operational MODE: preforking ***\nrunning "unix_signal:15 gracefully_kill_them_all" (master-start)...\n', ""),
        (PIP_VERSION, "packaging.version.InvalidVersion: Invalid version: 'not a version!'"),
        (PIP_COMPILER, "badc.c:2:22: error: \u2018nosuch\u2019 undeclared (first use in this function)"),
        (UV_COMPILER, "badc.c:2:22: error: \u2018nosuch\u2019 undeclared (first use in this function)"),
        (
            "error: command 'gcc' failed: No such file or directory\n  [end of output]\n  ERROR: Failed building wheel for x\n",
            "error: command 'gcc' failed: No such file or directory",
        ),
        (
            NO_MATCH,
            "ERROR: No matching distribution found for flask==99",
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because x was not found in the package registry.\n",
            "cause: Because x was not found in the package registry.",
        ),
        (
            PYDANTIC,
            VALIDATION,
        ),
        (DJANGO, "django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg module"),
        (
            "SystemCheckError: System check identified some issues:\n\nERRORS:\n?: (urls.E007) The handler404 view is missing.\n",
            "SystemCheckError: System check identified some issues: ERRORS: ?: (urls.E007) The handler404 view is missing.",
        ),
        (
            PSYCOPG,
            'psycopg.OperationalError: connection to server at "db", port 5432 failed: Connection refused',
        ),
        (GUNICORN, "[2026-11-28 05:57:32 +0000] [28321] [ERROR] Connection in use: ('127.0.0.1', 8765)"),
        (
            NO_DIRECTORY,
            "[2026-11-28 05:57:37 +0000] [28585] [ERROR] connection to /nodir/x.sock failed: [Errno 2] No such file or directory",
        ),
        (
            "/x.py:1: SyntaxWarning: invalid escape sequence\nunable to open database\nsee: https://sqlite.org/errors\n",
            "unable to open database",
        ),
        (NPM_SCRIPT, 'npm ERR! Missing script: "build"'),
        (NPM_PACKAGE, "npm error 404 Not Found - GET https://registry.example.com/x - Not found"),
        (GROUP, "ValueError: no token"),
        (SQLALCHEMY, "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) unable to open database file"),
        (UWSGI_BIND, "bind(): Address already in use [core/socket.c line 769]"),
        (GUNICORN_BOOT, "ModuleNotFoundError: No module named 'flask'"),
        (GUNICORN_HALT, "ModuleNotFoundError: No module named 'flask'"),
        ("one\ntwo\n[pid: 7|app: 0] GET / => failed\n", "two"),
        ("", ""),
    ],
)
def test_the_decisive_line_of_a_log_is_the_first_cause(log, line):
    assert decisive_line(log) == (log.splitlines()[0] if line is None else line)
