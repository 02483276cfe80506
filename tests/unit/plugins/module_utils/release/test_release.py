# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a release, and what makes two releases the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.release import _make, _release

HOST = {"processors": 2, "backlog": 4096}
PYTHON = {"version": "3.11.2", "implementation": "CPython", "prefix": "/usr", "gil": True, "debug": False}
BUILD = {"digest": "abc", "path": "/srv/wsgi/shop/builds/abc", "python": PYTHON}
SHOP = {"name": "shop", "source": {"git": "https://git.example.com/shop.git"}, "entry_point": "shop.wsgi:application"}


def resolved(**keys):
    return _resolve.resolve([{**SHOP, **keys}])[0]


def options(**keys):
    lines = _make.files(resolved(**keys), {}, BUILD, 1, HOST)["uwsgi.ini"].splitlines()
    return [tuple(line.split(" = ", 1)) for line in lines if " = " in line]


@pytest.mark.parametrize(
    ("text", "problem"),
    [(None, "is missing"), ("", "is no JSON"), ("[]", "is no dictionary"), ("null", "is no dictionary"), ("{}", "has no digest")],
    ids=["missing", "cut off", "list", "null", "empty"],
)
def test_a_damaged_release_is_named_and_another_one_is_made(tmp_path, text, problem):
    layout = _layout.Layout("shop", str(tmp_path), str(tmp_path))
    path = Path(layout.release(7)) / "release.json"
    path.parent.mkdir(parents=True)
    if text is not None:
        path.write_text(text)
    with pytest.raises(StackError, match=f"^{path} {problem}, so this release cannot be used; choose another release, or run"):
        assert _release.read(layout, 7)["digest"]
    assert _make._newest(layout, [7]) == _make._newest(layout, []) == (None, "")


@pytest.mark.parametrize(
    "value",
    [
        "it's",
        'say "hi"',
        "$(reboot) `id` $HOME",
        "50%",
        "%(socket)",
        "@(/etc/passwd)",
        "two\nlines\n",
        "ünï ☃",
        "  blanks  ",
        "",
        "\\n\\",
        "a;b#c !",
        "\t",
    ],
)
def test_a_variable_arrives_byte_for_byte(tmp_path, value):
    build = {**BUILD, "path": str(tmp_path)}
    (tmp_path / "source").mkdir()
    layout = _layout.Layout("shop", str(tmp_path), str(tmp_path))
    runner = Path(layout.release(7)) / "run"
    runner.parent.mkdir(parents=True)
    runner.write_text(_make.files(resolved(), {"VALUE": value}, build, 7, HOST)["run"])
    assert _release.environment(layout, 7)["VALUE"] == value
    done = subprocess.run(["sh", runner, "printenv", "-0", "VALUE"], capture_output=True, check=True)
    assert done.stdout == value.encode() + b"\0"


def test_a_command_runs_in_the_release(tmp_path):
    (tmp_path / "source" / "web").mkdir(parents=True)
    runner = tmp_path / "run"
    runner.write_text(_make.files(resolved(working_directory="web"), {}, {**BUILD, "path": str(tmp_path)}, 7, HOST)["run"])
    done = subprocess.run(
        ["sh", runner, "sh", "-c", 'echo "$PWD" "$WSGI_RELEASE" "$VIRTUAL_ENV"'], capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == [os.path.realpath(tmp_path / "source" / "web"), "7", f"{tmp_path}/venv"]


def test_the_number_does_not_make_a_difference_but_all_else_does():
    def of(environment=None, build=None, host=None, **keys):
        return _make.digest(resolved(**keys), environment or {}, {**BUILD, **(build or {})}, {**HOST, **(host or {})})

    assert of() == of()
    others = [
        of({"A": "1"}),
        of(build={"digest": "def"}),
        of(host={"processors": 8}),
        of(threads=3),
        of(server_options={"harakiri": 20}),
        of(entry_point="shop:app"),
        of(drain_timeout=5),
        of(writable_paths=["/mnt/data"]),
        of(privileged_programs=True),
        of(workers={"queue": {"command": "celery"}}),
        of(workers={"queue": {"command": "celery", "stop_timeout": 5}}),
        of(timers={"clean": {"command": "clean", "schedule": "daily"}}),
        of(timers={"clean": {"command": "clean", "schedule": "hourly"}}),
    ]
    assert len({of(), *others}) == len(others) + 1


def test_a_change_of_the_site_alone_makes_no_release():
    assert _make.digest(resolved(), {}, BUILD, HOST) == _make.digest(
        resolved(domains=["a.test"], keep_releases=9), {}, BUILD, HOST
    )


def test_a_change_of_the_release_commands_alone_makes_no_release():
    assert _make.digest(resolved(), {}, BUILD, HOST) == _make.digest(resolved(release_commands=["true"]), {}, BUILD, HOST)


def test_values_of_variables_are_not_described():
    assert "s3cret" not in _make.describe(resolved(), {"TOKEN": "s3cret"}, BUILD, HOST)


def test_uwsgi_finds_the_application():
    def started(**keys):
        return _make.files(resolved(**keys), {}, BUILD, 7, HOST)["serve"].splitlines()[-1]

    loader = "/srv/wsgi/shop/releases/7/entry_point.py"
    assert started().endswith(f" --wsgi-file {loader}")
    assert started(mount="/shop").endswith(f" --mount /shop={loader} --manage-script-name")
    assert ("need-plugin", "python311") in options()


def test_an_app_is_loaded_after_the_fork_where_that_is_needed():
    def ini(threads, **keys):
        return _make.files(resolved(**keys), {}, BUILD, 1, HOST, Imported(threads=threads))["uwsgi.ini"].splitlines()

    assert "lazy-apps = true" in ini("beat")
    assert "lazy-apps = true" not in ini("")
    assert "lazy-apps = true" not in ini("beat", server_options={"lazy-apps": False})


def test_a_uwsgi_of_the_build_itself_needs_no_plugin():
    assert "need-plugin" not in dict(options(uwsgi_install_from="venv"))
    serve = _make.files(resolved(uwsgi_install_from="venv"), {}, BUILD, 1, HOST)["serve"]
    assert "/run /srv/wsgi/shop/builds/abc/venv/bin/uwsgi --ini " in serve


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"stack": "uwsgi_emperor", "idle": 60},
            {"stack": "uwsgi_emperor", "protocol": "uwsgi", "program": "/usr/bin/uwsgi", "plugin": "python311", "idle": 60},
        ),
        (
            {"uwsgi_install_from": "venv"},
            {"stack": "uwsgi", "protocol": "uwsgi", "program": f"{BUILD['path']}/venv/bin/uwsgi", "plugin": None, "idle": None},
        ),
        (
            {"stack": "gunicorn_supervisor"},
            {"protocol": "http", "program": f"{BUILD['path']}/venv/bin/gunicorn", "plugin": None, "server_processes": 2},
        ),
    ],
)
def test_a_release_notes_what_later_steps_need(keys, expected):
    facts = _make.facts(resolved(**keys), BUILD, HOST)
    assert {key: facts[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("content", "sleeps"), [('{"idle": 60}', True), ('{"idle": null}', False), ("{}", False), ("", False), (None, False)]
)
def test_the_release_in_a_slot_says_whether_it_sleeps(tmp_path, content, sleeps):
    layout = _layout.Layout("shop", str(tmp_path))
    os.makedirs(layout.release(3))
    os.mkdir(layout.slots)
    if content is not None:
        Path(layout.release(3), "release.json").write_text(content)
    assert not _release.sleeps(layout, "blue")
    os.symlink("../releases/3", layout.slot("blue"))
    assert _release.sleeps(layout, "blue") is sleeps


def test_server_options_are_written_as_uwsgi_reads_them():
    written = options(server_options={"harakiri": 20, "lazy-apps": True, "log-5xx": False, "static-map": ["/a=/b", "/c=/d"]})
    assert ("harakiri", "20") in written
    assert ("lazy-apps", "true") in written
    assert not [value for name, value in written if name == "log-5xx"]
    assert [value for name, value in written if name == "static-map"] == ["/a=/b", "/c=/d"]


@pytest.mark.parametrize(("backlog", "listen"), [(128, "128"), (4096, "1024")])
def test_the_listen_queue_is_no_longer_than_the_kernel_allows(backlog, listen):
    text = _make.files(resolved(), {}, BUILD, 1, {"processors": 2, "backlog": backlog})["uwsgi.ini"]
    assert f"listen = {listen}\n" in text


def lived(*numbers):
    return [(number, "uwsgi", "2026-11-20T19:30:00Z") for number in numbers]


@pytest.mark.parametrize(
    ("existing", "history", "named", "keep", "kept"),
    [
        ([], [], set(), 2, set()),
        ([1, 2, 3, 4], [], set(), 2, {3, 4}),
        ([1, 2, 3, 4], lived(1, 2, 3), set(), 2, {2, 3, 4}),
        # Bad ones between good ones, and the newest, which was not live yet.
        ([1, 2, 3, 4, 5, 6, 7], lived(1, 2, 6), set(), 2, {2, 6, 7}),
        ([1, 2, 3, 4, 5, 6, 7], lived(1, 2, 6), {3, None, 99}, 2, {2, 3, 6, 7}),
        # Gone back to 1, which is the last that was live, and several times live.
        ([1, 2, 3, 4], lived(1, 2, 3, 1, 2, 1), set(), 2, {1, 2, 4}),
        # Those that are gone do not count.
        ([3, 4, 5], lived(1, 2, 3, 1, 2), set(), 2, {3, 5}),
        ([4, 5], lived(1, 2), set(), 2, {5}),
    ],
)
def test_bad_releases_do_not_drive_out_the_good_ones(existing, history, named, keep, kept):
    assert _make.kept(existing, history, named, keep) == kept


def test_a_history_is_read_as_far_as_it_can_be(tmp_path):
    layout = _layout.Layout("shop", str(tmp_path))
    assert _release.history(layout) == []
    (tmp_path / "shop").mkdir()
    broken = b"\n2 uwsgi_em\nx uwsgi 2026\n\xff\xff\n-1 uwsgi 2026\n"
    last = b"3 gunicorn_supervisor 2026-11-21T08:00:00Z\n4 uw"
    (tmp_path / "shop/history").write_bytes(b"1 uwsgi 2026-11-20T19:30:00Z\n" + broken + last)
    assert _release.history(layout) == [
        (1, "uwsgi", "2026-11-20T19:30:00Z"),
        (3, "gunicorn_supervisor", "2026-11-21T08:00:00Z"),
    ]
