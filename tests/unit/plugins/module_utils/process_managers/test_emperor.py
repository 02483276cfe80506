# SPDX-License-Identifier: GPL-3.0-or-later
"""Vassals, the state of each, and the Emperor's files, which name what the code names."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _emperor
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._emperor import Vassals, instance
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._emperor_stats import EmperorStats, Vassal

TEMPLATES = Path(__file__).resolve().parents[5] / "roles/uwsgi/templates"
BLUE = "wsgi-blue@shop.ini"


WELL = EmperorStats({BLUE: Vassal(10, True, False)})


@pytest.mark.parametrize(
    ("links", "seen", "boots", "restarts", "expected"),
    [
        pytest.param({BLUE}, WELL, True, 0, Instance(True, True, False, True, 10), id="well"),
        pytest.param(set(), EmperorStats(), True, 0, Instance(), id="nothing of it"),
        pytest.param(set(), None, False, 0, Instance(), id="no Emperor"),
        pytest.param({BLUE}, None, True, 0, Instance(enabled=True), id="linked, and no Emperor runs"),
        pytest.param({BLUE}, None, False, 0, Instance(enabled=True), id="linked, and no Emperor is to run"),
        pytest.param({BLUE}, WELL, False, 0, Instance(True, True, pid=10), id="an Emperor that is not there after a boot"),
        pytest.param({BLUE}, EmperorStats(), True, 0, Instance(True, enabled=True), id="linked a moment ago"),
        pytest.param(
            {BLUE},
            EmperorStats({BLUE: Vassal(10, False, False)}),
            True,
            0,
            Instance(True, False, False, True, 10),
            id="it is loading",
        ),
        pytest.param(
            set(),
            EmperorStats({BLUE: Vassal(10, True, True)}),
            True,
            0,
            Instance(True, False, False, False, 10),
            id="it is being stopped",
        ),
        pytest.param({BLUE}, EmperorStats({}, {BLUE: 1}), True, 0, Instance(True, False, True, True), id="it exited"),
        pytest.param(
            {BLUE},
            EmperorStats({}, {BLUE: 3}),
            True,
            3,
            Instance(True, False, False, True),
            id="it had exited before it was started",
        ),
        pytest.param(
            {BLUE},
            EmperorStats({BLUE: Vassal(-1, False, False)}),
            True,
            0,
            Instance(True, enabled=True),
            id="it has no process yet",
        ),
        pytest.param(
            {BLUE},
            EmperorStats({BLUE: Vassal(-1, False, False, True)}),
            True,
            0,
            Instance(True, True, enabled=True, waiting=True),
            id="it sleeps",
        ),
        pytest.param(
            {BLUE},
            EmperorStats({BLUE: Vassal(10, False, False, True)}),
            True,
            0,
            Instance(True, True, False, True, 10),
            id="it wakes up",
        ),
        pytest.param(
            {BLUE},
            EmperorStats({BLUE: Vassal(10, True, True, True)}),
            True,
            0,
            Instance(True, True, False, True, 10),
            id="it falls asleep",
        ),
        pytest.param(
            set(),
            EmperorStats({BLUE: Vassal(-1, False, False, True)}),
            True,
            0,
            Instance(True),
            id="it is being stopped in its sleep",
        ),
        pytest.param(
            {BLUE},
            EmperorStats({BLUE: Vassal(-1, False, False, True)}, {BLUE: 2}),
            True,
            1,
            Instance(True, True, True, True),
            id="it exited when it was woken",
        ),
    ],
)
def test_the_state_of_a_vassal(links, seen, boots, restarts, expected):
    assert instance(BLUE, links, seen, boots, restarts) == expected


def test_without_an_emperor_nothing_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(_layout, "EMPEROR_STATS", str(tmp_path / "stats.sock"))
    monkeypatch.setattr(_layout, "VASSALS_ENABLED", str(tmp_path / "none"))
    assert Vassals().states(["wsgi-blue@shop"]) == {"wsgi-blue@shop": Instance()}


@pytest.fixture
def shop(monkeypatch, tmp_path):
    """An app of whose slot ``blue`` the files are written to a directory."""

    def make():
        for name in ("available", "enabled"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "enabled/wsgi-blue@shop.ini.socket").write_text("left over\n")
        monkeypatch.setattr(_layout, "VASSALS_AVAILABLE", str(tmp_path / "available"))
        monkeypatch.setattr(_layout, "VASSALS_ENABLED", str(tmp_path / "enabled"))
        monkeypatch.setattr(_layout, "UNITS", str(tmp_path / "units"))
        monkeypatch.setattr(_emperor, "_ensure_running", lambda: None)
        monkeypatch.setattr(_emperor._release, "of_slot", lambda layout, slot: {"writable_paths": []})
        monkeypatch.setattr(_emperor._systemd, "journal", lambda fields, since: "")
        monkeypatch.setattr(_emperor._processes, "all_processes", dict)
        owner = {"user": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
        return {"name": "shop", "directory": str(tmp_path / "shop"), "runtime_directory": "/run/wsgi/shop", **owner}

    return make


def written(app):
    directory = Path(app["directory"]).parent
    return {path.name: path.is_symlink() or path.read_text() for path in (directory / "enabled").iterdir()}


def test_the_emperor_is_told_the_socket_of_each_slot(monkeypatch, shop):
    app = shop()
    monkeypatch.setattr(
        _emperor, "stats", lambda: EmperorStats({BLUE: Vassal(-1, False, False, True)} if BLUE in written(app) else {})
    )
    Vassals().start(app, "blue")
    assert written(app) == {BLUE: True, f"{BLUE}.socket": "/run/wsgi/shop/blue.sock\n"}


@pytest.mark.parametrize("vassals", [{BLUE: Vassal(10, True, False)}, {}], ids=["it runs it at once", "it cannot open it"])
def test_an_emperor_that_does_not_hold_sockets_is_to_be_restarted(monkeypatch, shop, vassals):
    app = shop()
    monkeypatch.setattr(_emperor, "LISTEN_TIMEOUT", 0.3)
    monkeypatch.setattr(_emperor, "stats", lambda: EmperorStats(vassals if BLUE in written(app) else {}))
    calls = []
    monkeypatch.setattr(_emperor, "run", calls.append)
    with pytest.raises(StackError, match=r"does not listen on /run/wsgi/shop/blue.sock; .* \(systemctl restart wsgi-emperor\)"):
        Vassals().start(app, "blue")
    assert written(app) == {}
    # It had no other, so it may go, and the next one will be one that does.
    assert calls == [["systemctl", "disable", "--now", "--quiet", _layout.EMPEROR]]


@pytest.mark.parametrize(("seen", "left"), [(None, []), (EmperorStats(), [BLUE])], ids=["no Emperor", "an Emperor that runs it"])
def test_a_link_without_an_emperor_goes_with_the_start_at_boot(monkeypatch, shop, seen, left):
    app = shop()
    Path(_layout.of(app).vassal_socket("blue")).unlink()
    Path(_layout.of(app).vassal_link("blue")).symlink_to("x")
    monkeypatch.setattr(_emperor, "stats", lambda: seen)
    Vassals().disable(_layout.of(app), "blue")
    assert list(written(app)) == left


def test_the_apps_whose_live_slot_sleeps(monkeypatch, tmp_path):
    names = {"sleeps": "blue", "stays": "blue", "starts": "blue", "sleeps-elsewhere": "green", "nowhere": None}
    for name, slot in names.items():
        (tmp_path / name / "slots").mkdir(parents=True)
        (tmp_path / name / "releases/1").mkdir(parents=True)
        note = {"idle": None if name == "starts" else 60}
        (tmp_path / name / "releases/1/release.json").write_text(json.dumps(note))
        (tmp_path / name / "slots/blue").symlink_to("../releases/1")
        if slot:
            (tmp_path / name / "app.sock").symlink_to(f"{slot}.sock")
    vassals = {
        "wsgi-blue@sleeps.ini": Vassal(-1, False, False, True),
        "wsgi-blue@stays.ini": Vassal(7, True, False),
        "wsgi-blue@starts.ini": Vassal(-1, False, False, True),
        "wsgi-blue@sleeps-elsewhere.ini": Vassal(-1, False, False, True),
    }
    monkeypatch.setattr(_emperor, "stats", lambda: EmperorStats(vassals))
    monkeypatch.setattr(_emperor, "_watched_files", lambda: set(vassals))
    monkeypatch.setattr(_emperor, "unit_states", lambda units: {unit: Instance(enabled=True) for unit in units})
    apps = [{"name": name, "directory": f"{tmp_path}/{name}", "runtime_directory": f"{tmp_path}/{name}"} for name in names]
    assert _emperor.asleep(apps) == ["sleeps"]


INIT_SCRIPT = "/etc/init.d/uwsgi"
BESIDE = ["/usr/bin/uwsgi", "--ini", "/etc/uwsgi/apps-enabled/x.ini"]


@pytest.mark.parametrize(
    ("units", "links", "processes", "told"),
    [
        pytest.param(
            {"uwsgi.service": {"SourcePath": INIT_SCRIPT}},
            [],
            {},
            "uwsgi.service also runs .*systemctl disable uwsgi; systemctl stop uwsgi; ",
            id="Debian's runs",
        ),
        pytest.param({}, ["/etc/rc2.d/S01uwsgi"], {}, "uwsgi.service also runs ", id="Debian's will after a boot"),
        pytest.param({}, [], {4: (0, None, BESIDE)}, r"process 4 .*\(kill -9 4\)", id="by hand"),
        pytest.param(
            {"other.service": {"ExecStart": "{ path=/usr/bin/uwsgi ; argv[]=uwsgi --emperor /etc/uwsgi/apps-enabled ; }"}},
            [],
            {4: (33, "other.service", ["uwsgi"])},
            "other.service also runs ",
            id="a service with another user",
        ),
        pytest.param(
            {"mine.service": {"ExecStart": "{ path=/srv/serve ; }"}},
            [],
            {4: (33, "mine.service", BESIDE), 5: (33, None, BESIDE)},
            None,
            id="only by its command line",
        ),
        pytest.param({"uwsgi.service": {}}, [], {}, None, id="somebody's service of that name"),
        pytest.param(
            {},
            [],
            {
                4: (0, None, ["/usr/bin/uwsgi", "--ini", "x.ini", "/etc/../dev/zero"]),
                5: (0, None, ["ls", "/etc/uwsgi/apps-enabled"]),
                6: (0, None, [""]),
            },
            None,
            id="nobody",
        ),
    ],
)
def test_only_one_service_may_run_the_vassals(monkeypatch, units, links, processes, told):
    monkeypatch.setattr(_emperor, "unit_states", lambda names: {name: Instance(active=True) for name in names})
    monkeypatch.setattr(_emperor._systemd, "properties", lambda unit, names: units.get(unit, {}))
    monkeypatch.setattr(_emperor.glob, "glob", lambda pattern: links)
    monkeypatch.setattr(_emperor._processes, "command_lines", lambda: {pid: found[2] for pid, found in processes.items()})
    monkeypatch.setattr(_emperor._processes, "unit", lambda pid: processes[pid][1])
    monkeypatch.setattr(_emperor._processes, "status", lambda pid: {"Uid": [str(processes[pid][0])] * 4})
    if told is None:
        Vassals().check()
        return
    with pytest.raises(StackError, match=told):
        Vassals().check()


def test_another_emperor_may_watch_another_directory():
    assert _emperor.watches("[uwsgi]\nemperor = /etc/uwsgi/apps-enabled\n")
    assert not _emperor.watches("[uwsgi]\n# emperor = /etc/uwsgi/apps-enabled\nemperor = /etc/uwsgi-emperor/vassals\n")


def test_the_emperors_files_name_what_the_code_names():
    options = dict(line.split(" = ", 1) for line in (TEMPLATES / "emperor.ini.j2").read_text().splitlines() if " = " in line)
    assert options["emperor"] == _layout.VASSALS_ENABLED
    assert options["emperor-stats"] == _layout.EMPEROR_STATS
    layout = _layout.Layout("shop")
    assert layout.vassal_socket("blue") == layout.vassal_link("blue") + options["emperor-on-demand-extension"]
    unit = (TEMPLATES / "emperor.service.j2").read_text()
    assert f"RuntimeDirectory={Path(_layout.EMPEROR_STATS).parent.relative_to('/run')}\n" in unit
    assert f"dest: /etc/systemd/system/{_layout.EMPEROR}}}" in (TEMPLATES.parent / "tasks/main.yml").read_text()


@pytest.fixture
def wrapper(tmp_path):
    """The Emperor's wrapper, with programs in its way that tell how they were called."""

    def run(*arguments):
        programs = tmp_path / "bin"
        programs.mkdir()
        setpriv = programs / "setpriv"
        setpriv.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        setpriv.chmod(0o755)
        text = (TEMPLATES / "vassal.j2").read_text().split("\n", 1)[1]
        script = text.replace("{{ __uwsgi_settings.directory }}", "/srv/wsgi")
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-s", "--", *arguments], input=script, capture_output=True, text=True, env=environment, check=True
        )
        return done.stdout.split()

    return run


@pytest.mark.parametrize("app", ["shop", "my-shop", "blue-green"])
@pytest.mark.parametrize("slot", _layout.SLOTS)
def test_the_wrapper_runs_the_release_of_a_slot(wrapper, app, slot):
    layout = _layout.Layout(app)
    called = wrapper("--ini", Path(layout.vassal_link(slot)).name)
    assert called[-4:] == ["systemd-cat", f"--identifier={layout.instance(slot)}", f"{layout.slot(slot)}/serve", slot]
    assert "--init-groups" in called
    assert "--ambient-caps=-all" in called


@pytest.mark.parametrize("file", ["shop.ini", "wsgi-shop.ini", "wsgi-red@shop.ini", "wsgi-blue@shop.json"])
def test_the_wrapper_runs_what_is_somebody_elses_as_it_is(wrapper, file):
    called = wrapper("--ini", file, "--include", "/etc/some thing.ini")
    assert called[-6:] == ["/usr/bin/uwsgi", "--ini", file, "--include", "/etc/some", "thing.ini"]
    assert "--init-groups" not in called
