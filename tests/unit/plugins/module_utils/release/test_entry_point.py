# SPDX-License-Identifier: GPL-3.0-or-later
"""What the import check finds, and what is made of its output."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _entry_points
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.release import _entry_point

THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), name='beat').start()\n"
APPLICATION = "def app(environ, start_response): pass\n"


class Here:
    """Runs commands without a sandbox."""

    def run(self, commands, timeout):
        done = subprocess.run(commands[0], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        return Completed((), done.returncode, done.stdout)


@pytest.fixture
def check(tmp_path):
    def run(text, entry_point="shop_checked:app"):
        (tmp_path / "shop_checked.py").write_text(text)
        (tmp_path / "entry_point.py").write_text(_entry_points.module_text(entry_point))
        runner = ["env", f"--chdir={tmp_path}", f"PATH={tmp_path}"]
        (tmp_path / "python").symlink_to(sys.executable)
        app = {"entry_point": entry_point, "stack": "uwsgi", "requirements": None}
        return _entry_point.check(app, runner, str(tmp_path / "entry_point.py"), Here())

    return run


@pytest.mark.parametrize(
    ("text", "threads"),
    [
        (APPLICATION, ""),
        (THREAD + APPLICATION, "beat"),  # which alone would keep the interpreter from its end
        (f"print('x' * 9)\n{APPLICATION}import sys\nsys.stdout.close()\n", ""),
        ("import os\nos.close(2)\n" + APPLICATION, ""),
    ],
)
def test_the_threads_of_an_import_are_told(check, text, threads):
    assert check(text) == Imported(threads=threads)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import nothing_here\n", "cannot be imported: ModuleNotFoundError: No module named 'nothing_here'; fix the code"),
        ("import sys\nsys.exit(0)\n", "cannot be imported: SystemExit: 0; fix the code"),
        (THREAD + "raise KeyError('TOKEN')\n", "cannot be imported: KeyError: 'TOKEN'; fix the code"),
        ("import os\nprint('no database', flush=True)\nos._exit(0)\n", "cannot be imported: no database; fix the code"),
        (
            "raise OSError(30, 'Read-only file system', 'logs')\n",
            "cannot be imported: OSError: [Errno 30] Read-only file system: 'logs'; the app can write only to $WSGI_SHARED, ",
        ),
        ("app = 1\n", "is an object of the class int and cannot be called; name the WSGI or ASGI application in it. The running"),
    ],
)
def test_an_import_that_fails_is_told(check, text, cause):
    with pytest.raises(StackError) as failure:
        check(text)
    assert failure.value.cause.startswith(f"entry_point shop_checked:app {cause}")


@pytest.mark.parametrize(
    "cause",
    ["zc.lockfile.LockError: Couldn't lock 'Data.fs.lock'", "BlockingIOError: [Errno 11] Resource temporarily unavailable"],
)
def test_a_lock_that_the_running_release_may_hold_is_told(cause):
    app = {"entry_point": "shop.wsgi:app", "requirements": None}
    assert _entry_point.fix(app, cause).startswith("if the running release holds that lock, this app cannot run in two")


@pytest.mark.parametrize(
    ("missing", "requirements", "wanted"),
    [
        ("pkg_resources", None, "add setuptools<81 to packages"),
        (
            "uwsgi",
            None,
            "import uwsgi where it is used, or expect an ImportError, since there is no uWSGI yet when the import is che",
        ),
        ("shop", ["r.txt"], "if it is the project itself that has shop, name the directory of the project in requirements, too"),
        ("shop", None, "fix the code, its requirements or its environment"),
        ("flask", ["r.txt"], "fix the code, its requirements or its environment"),
    ],
)
def test_a_module_that_is_missing(missing, requirements, wanted):
    app = {"entry_point": "shop.wsgi:app", "requirements": requirements}
    assert _entry_point.fix(app, f"ModuleNotFoundError: No module named '{missing}.x'").startswith(wanted)


ASYNC = "async def app(scope, receive, send): pass\n"


def test_an_asgi_application_is_told_by_a_stack_that_cannot_serve_it(check):
    with pytest.raises(StackError) as failure:
        check(ASYNC)
    assert failure.value.cause == (
        "entry_point shop_checked:app is an ASGI application, and uWSGI serves WSGI only; set stack: gunicorn_supervisor, or"
        " name a WSGI application. The running release is unchanged."
    )


@pytest.mark.parametrize(
    ("report", "wanted"),
    [
        ({"interface": "asgi", "modules": ["uvicorn_worker", "os"]}, Imported("asgi", modules=("uvicorn_worker",))),
        ({"interface": ["asgi"], "modules": "uvicorn_worker"}, Imported()),
    ],
)
def test_what_a_report_says_of_an_application(report, wanted):
    assert _entry_point.found(report) == wanted


@pytest.mark.parametrize("output", ["", "{}", "mark", "mark x", "mark []", "mark " + "[" * 100000, "other {}"])
def test_what_an_app_prints_is_no_report(output):
    assert _entry_point.read(Completed((), 0, output), "mark") is None


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({}, ""),
        ({"threads": [], "native": 0}, ""),
        ({"threads": ["a", "b"], "native": 2}, "a, b, 2 outside Python"),
        ({"threads": "abc", "native": "9"}, ""),
        ({"threads": [{}] * 9, "native": -1}, "{}, {}, {}, {}"),
    ],
)
def test_threads_in_words(report, words):
    assert _entry_point.threads(report) == words


def test_a_module_that_only_an_unread_lock_file_has_is_explained():
    app = {"entry_point": "shop.wsgi:app", "requirements": None}
    unread = "app shop: poetry.lock is not read; to install the versions in it, write them to a file."
    found = _entry_point.fix(app, "ModuleNotFoundError: No module named 'flask'", unread)
    assert found == "poetry.lock is not read; to install the versions in it, write them to a file"
    assert _entry_point.fix(app, "KeyError: 'TOKEN'", unread).startswith("fix the code")
