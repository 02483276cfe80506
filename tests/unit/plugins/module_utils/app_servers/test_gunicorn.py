# SPDX-License-Identifier: GPL-3.0-or-later
"""gunicorn's configuration, as Python reads it, and what a gunicorn does for its slot."""

from __future__ import annotations

import linecache
import os
import re
import subprocess
import sys
import types

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn, _gunicorn_hooks
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve

SHOP = {
    "name": "shop",
    "stack": "gunicorn_supervisor",
    "source": {"git": "https://git.example.com/shop.git"},
    "entry_point": "shop.wsgi:application",
}
BUILD = {"path": "/srv/wsgi/shop/builds/a"}
WSGI = Imported()
KNOWN = ["workers", "threads", "timeout", "max_requests", "preload_app"]


def resolved(**keys):
    return _resolve.resolve([{**SHOP, **keys}])[0]


def loaded(monkeypatch, processors=3, backlog=4096, imported=WSGI, **keys):
    """The names that gunicorn finds in an app's configuration."""
    config = types.ModuleType("gunicorn.config")
    config.KNOWN_SETTINGS = [types.SimpleNamespace(name=name) for name in KNOWN]
    gunicorn = types.ModuleType("gunicorn")
    gunicorn.__version__, gunicorn.config = "27.0.1", config
    monkeypatch.setitem(sys.modules, "gunicorn", gunicorn)
    monkeypatch.setitem(sys.modules, "gunicorn.config", config)
    names = {"__name__": "__config__", "__file__": "/srv/wsgi/shop/releases/1/gunicorn.conf.py"}
    text = _gunicorn.configuration(resolved(**keys), BUILD, {"processors": processors, "backlog": backlog}, imported)
    exec(compile(text, "gunicorn.conf.py", "exec"), names)
    return names


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({}, {"workers": 3, "worker_class": "gthread", "threads": 2}),
        ({"processes": 1, "threads": 8}, {"workers": 1, "worker_class": "gthread", "threads": 8}),
        ({"threads": 1}, {"worker_class": "sync", "threads": 1}),
        ({"gevent": 100, "threads": 8}, {"worker_class": "gevent", "threads": 1, "worker_connections": 100}),
        ({}, {"raw_env": [], "chdir": "/srv/wsgi/shop/builds/a/source", "control_socket_disable": True}),
        ({"mount": "/shop"}, {"raw_env": ["SCRIPT_NAME=/shop"]}),
        ({"working_directory": "src/it's"}, {"chdir": "/srv/wsgi/shop/builds/a/source/src/it's"}),
        ({"drain_timeout": 7}, {"graceful_timeout": 7}),
        ({}, {"timeout": 90, "umask": 0o027, "errorlog": "-", "accesslog": None, "backlog": 1024}),
        ({"request_timeout": 600}, {"timeout": 630}),
        ({"health_check": {"timeout": 120}}, {"timeout": 150}),
        (
            {"server_options": {"timeout": 5, "max_requests": "9", "preload_app": True}},
            {"timeout": 5, "max_requests": "9", "preload_app": True},
        ),
    ],
)
def test_the_configuration_says_what_the_app_does(monkeypatch, keys, wanted):
    found = loaded(monkeypatch, **keys)
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("keys", "keepalive"),
    [
        pytest.param({}, 60, id="threads"),
        pytest.param({"drain_timeout": 2}, 0, id="threads without the time to wait when they stop"),
        pytest.param({"threads": 1}, 0, id="one thread"),
        pytest.param({"gevent": 10}, 0, id="greenlets"),
        pytest.param({"imported": Imported("asgi", "asgi")}, 0, id="ASGI"),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_connections_are_kept_where_a_stop_loses_no_request(monkeypatch, keys, keepalive, waits):
    config = loaded(monkeypatch, **keys)
    module = types.ModuleType("gunicorn.workers.some")
    if waits:
        module.STOP_KEEPALIVE_LINGER = 2.0
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings = {"keepalive": config["keepalive"]}
    worker = type("Worker", (), {"__module__": module.__name__})()
    worker.cfg = types.SimpleNamespace(set=settings.__setitem__, proc_name="wsgi-blue@shop")
    config["post_worker_init"](worker)
    assert settings == {"keepalive": keepalive if waits else 0}


@pytest.mark.parametrize(
    ("parent", "keepalive", "alive"),
    [(os.getppid(), 60, True), (1, 60, False), (1, 0, True)],
    ids=["its master's", "an orphan", "an orphan that keeps no connection"],
)
def test_an_orphan_keeps_no_connection(monkeypatch, parent, keepalive, alive):
    worker = types.SimpleNamespace(cfg=types.SimpleNamespace(keepalive=keepalive), ppid=os.getppid(), alive=True)
    monkeypatch.setattr(os, "getppid", lambda: parent)
    _gunicorn_hooks.pre_request(worker, None)
    assert worker.alive == alive


def test_small_hosts_are_not_asked_for_what_they_do_not_have(monkeypatch):
    found = loaded(monkeypatch, processors=1, backlog=128)
    assert (found["workers"], found["backlog"]) == (2, 128)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("max-requests", "did you mean max_requests?"),
        ("preload", "did you mean preload_app?"),
        ("class", "remove it."),
        ("on_starting", "remove it."),
    ],
)
def test_an_option_that_gunicorn_would_pass_over_ends_it(monkeypatch, name, fix):
    with pytest.raises(SystemExit) as ended:
        loaded(monkeypatch, server_options={name: 1})
    assert ended.value.code == f"server_options.{name}: gunicorn 27.0.1 has no such setting; {fix}"


def test_what_a_slot_relies_on_is_no_option():
    app = resolved(gevent=10, processes=2)
    command = " ".join(_gunicorn.start(app, BUILD, "/srv/wsgi/shop/releases/1")).replace("--name", "--proc_name")
    text = _gunicorn.configuration(app, BUILD, {"processors": 3, "backlog": 4096}, Imported())
    text = text.replace(_gunicorn.HOOKS, "")
    used = {*re.findall(r"--(\w+)", command), *re.findall(r"^(\w+) = ", text, re.MULTILINE), "post_worker_init", "pre_request"}
    limits = "limit_request_line limit_request_fields limit_request_field_size timeout worker_connections"
    defaults = f"accesslog backlog {limits} worker_tmp_dir".split()
    assert used - _gunicorn.OWN_OPTIONS - {name for name in used if name.isupper()} == {*defaults, "options"}
    with pytest.raises(_resolve.InventoryError, match=r"server_options.post_worker_init: "):
        resolved(server_options={"post_worker_init": "print"})


@pytest.mark.parametrize(
    ("keys", "expected"),
    [({}, ["gunicorn"]), ({"gevent": 10}, ["gunicorn[gevent]"])],
)
def test_the_build_has_what_its_workers_take(keys, expected):
    assert _gunicorn.requirements(resolved(**keys)) == expected


def test_gunicorn_loads_the_file_beside_its_configuration(monkeypatch, tmp_path):
    (line,) = _gunicorn.start(resolved(), BUILD, "/srv/wsgi/shop/releases/1")
    assert line == (
        "exec /srv/wsgi/shop/releases/1/run /srv/wsgi/shop/builds/a/venv/bin/gunicorn"
        " --config /srv/wsgi/shop/releases/1/gunicorn.conf.py"
        " --name \"wsgi-$1@shop\" '__config__:entry_point()'"
    )
    (tmp_path / "entry_point.py").write_text("from __future__ import annotations\napplication: X = 'the application'\n")
    names = loaded(monkeypatch)
    names["__file__"] = str(tmp_path / "gunicorn.conf.py")
    assert names["entry_point"]() == "the application"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python\0/srv/gunicorn\0--bind\0unix:/a\0--name\0wsgi-blue@shop\0app:application\0", "wsgi-blue@shop"),
        ("gunicorn: master [wsgi-blue@shop]", "wsgi-blue@shop"),
        ("gunicorn: worker [wsgi-green@shop]\0\0\0", "wsgi-green@shop"),
        ("supervisorctl\0status\0wsgi-blue@shop\0", None),
        ("", None),
    ],
)
def test_a_gunicorn_is_known_by_its_name(command, name):
    assert _gunicorn_hooks.slot_of(command) == name


def test_a_master_leads_a_process_group_and_a_worker_does_not():
    code = "import subprocess, sys; print(1, flush=True); subprocess.run([sys.executable, '-c', 'input()', *sys.argv[1:]])"
    command = [sys.executable, "-c", code, "--name", "wsgi-blue@shop", "x"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        assert _gunicorn_hooks.masters("wsgi-blue@shop") == {process.pid}
        assert _gunicorn_hooks.masters("wsgi-green@shop") == set()
        process.stdin.close()


NATIVE, UVICORN = Imported("asgi", modules=("gunicorn.workers.gasgi",)), Imported("asgi", modules=("uvicorn.workers",))


@pytest.mark.parametrize(
    ("imported", "keys", "wanted"),
    [
        (NATIVE, {}, {"worker_class": "asgi", "threads": 1, "PING_INTERVAL": 20.0}),
        (NATIVE, {"request_timeout": 5}, {"PING_INTERVAL": 2.5}),
        (UVICORN, {}, {"worker_class": "uvicorn.workers.UvicornWorker", "threads": 1}),
    ],
)
def test_an_asgi_application_gets_a_worker_for_it(monkeypatch, imported, keys, wanted):
    found = loaded(monkeypatch, imported=imported, **keys)
    assert {name: found[name] for name in wanted} == wanted
    monkeypatch.setenv("SCRIPT_NAME", "/shop")
    assert found["adapted"]("the application").mount == "/shop"


def test_a_wsgi_application_loads_nothing_of_asgi(monkeypatch):
    found = loaded(monkeypatch)
    assert "asyncio" not in found
    assert found["adapted"]("the application") == "the application"


@pytest.mark.parametrize(
    ("imported", "keys", "cause"),
    [
        (Imported(), {"gevent": 9}, ""),
        (NATIVE, {}, ""),
        (UVICORN, {}, ""),
        (NATIVE, {"gevent": 9}, "is an ASGI application, and gevent is for WSGI applications; remove gevent"),
        (Imported("asgi"), {}, "is an ASGI application, and the gunicorn in the build has no worker for that; allow gunicorn 27"),
    ],
)
def test_what_no_worker_serves_is_told(imported, keys, cause):
    found = _gunicorn.refusal(resolved(**keys), imported)
    assert found.startswith(cause)
    assert bool(found) == bool(cause)


def test_a_configuration_needs_no_file_of_ours_to_be_read(monkeypatch):
    """As for the thread that comes second where two of them have a file read for the first time."""
    whole = loaded(monkeypatch)
    monkeypatch.setattr(linecache, "getlines", lambda *_arguments: [])
    assert set(loaded(monkeypatch)) == set(whole)


def test_the_launcher_confines_the_app_to_its_directories(tmp_path):
    launcher = _gunicorn.launcher(resolved(writable_paths=["/mnt/data"]))
    assert launcher.endswith("start('shop', ['/srv/wsgi/shop/shared', '/mnt/data'], False, sys.argv[1:])\n")
    # Without the call, which takes root: it needs nothing but itself.
    program = tmp_path / "launch"
    program.write_text(launcher.rpartition("\nstart(")[0])
    assert subprocess.run([sys.executable, "-I", program], check=False).returncode == 0
