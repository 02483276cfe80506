# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Emperor tells, read; and its files, which name what the code names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _emperor, _layout, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils._emperor import Realm, Vassal, Vassals, instance, parse
from ansible_collections.wsgi.stack.plugins.module_utils._failures import AppFailure
from ansible_collections.wsgi.stack.plugins.module_utils._process import Completed
from ansible_collections.wsgi.stack.plugins.module_utils._server import Instance

TEMPLATES = Path(__file__).resolve().parents[4] / "roles/uwsgi/templates"
BLUE = "wsgi-blue@shop.ini"


def told(**keys):
    return {"id": BLUE, "pid": 10, "ready": 1, "accepting": 1, "cursed": 0, "loyal": 1, "respawns": 0, **keys}


def stats(*vassals, blacklist=()):
    return {"version": "2.0.28-debian", "pid": 2, "emperor_tyrant": 1, "vassals": list(vassals), "blacklist": list(blacklist)}


def test_the_stats_are_read():
    fallen = {"id": "wsgi-green@shop.ini", "throttle_level": 1, "attempt": 0}
    assert parse(stats(told(), told(id="foreign.ini", accepting=0, cursed=1795190407), blacklist=[fallen])) == Realm(
        {BLUE: Vassal(10, True, False), "foreign.ini": Vassal(10, False, True)}, {"wsgi-green@shop.ini": 1}
    )
    assert parse(stats()) == Realm()


def test_of_a_vassal_that_is_being_replaced_the_new_one_counts():
    assert parse(stats(told(), told(pid=11, accepting=0))).vassals == {BLUE: Vassal(11, False, False)}


WELL = Realm({BLUE: Vassal(10, True, False)})


@pytest.mark.parametrize(
    ("links", "seen", "boots", "falls", "expected"),
    [
        pytest.param({BLUE}, WELL, True, 0, Instance(True, True, False, True, 10), id="well"),
        pytest.param(set(), Realm(), True, 0, Instance(), id="nothing of it"),
        pytest.param(set(), None, False, 0, Instance(), id="no Emperor"),
        pytest.param({BLUE}, None, True, 0, Instance(enabled=True), id="linked, and no Emperor runs"),
        pytest.param({BLUE}, WELL, False, 0, Instance(True, True, pid=10), id="an Emperor that is not there after a boot"),
        pytest.param({BLUE}, Realm(), True, 0, Instance(True, enabled=True), id="linked a moment ago"),
        pytest.param(
            {BLUE}, Realm({BLUE: Vassal(10, False, False)}), True, 0, Instance(True, False, False, True, 10), id="it is loading"
        ),
        pytest.param(
            set(),
            Realm({BLUE: Vassal(10, True, True)}),
            True,
            0,
            Instance(True, False, False, False, 10),
            id="it is being stopped",
        ),
        pytest.param({BLUE}, Realm({}, {BLUE: 1}), True, 0, Instance(True, False, True, True), id="it has fallen"),
        pytest.param(
            {BLUE}, Realm({}, {BLUE: 3}), True, 3, Instance(True, False, False, True), id="it had fallen before it was started"
        ),
        pytest.param(
            {BLUE}, Realm({BLUE: Vassal(-1, False, False)}), True, 0, Instance(True, enabled=True), id="it has no process yet"
        ),
    ],
)
def test_the_state_of_a_vassal(links, seen, boots, falls, expected):
    assert instance(BLUE, links, seen, boots, falls) == expected


def test_without_an_emperor_there_is_no_realm(monkeypatch, tmp_path):
    monkeypatch.setattr(_layout, "EMPEROR_STATS", str(tmp_path / "stats.sock"))
    monkeypatch.setattr(_layout, "VASSALS_ENABLED", str(tmp_path / "none"))
    assert _emperor.realm() is None
    assert Vassals().states(["wsgi-blue@shop"]) == {"wsgi-blue@shop": Instance()}


INIT_SCRIPT = "/etc/init.d/uwsgi"


@pytest.mark.parametrize(
    ("source", "links", "processes", "told"),
    [
        pytest.param(
            INIT_SCRIPT, [], {}, "uwsgi.service runs .*systemctl disable uwsgi; systemctl stop uwsgi; ", id="Debian's runs"
        ),
        pytest.param("", ["/etc/rc2.d/S01uwsgi"], {}, "uwsgi.service runs ", id="Debian's will after a boot"),
        pytest.param(
            "",
            [],
            {4: ["/usr/bin/uwsgi", "--ini", "/etc/uwsgi/apps-enabled/x.ini"]},
            r"the process 4 .*\(kill -9 4\)",
            id="by hand",
        ),
        pytest.param("", [], {}, None, id="somebody's service of that name"),
        pytest.param(
            "",
            [],
            {4: ["/usr/bin/uwsgi", "--ini", "x.ini"], 5: ["ls", "/etc/uwsgi/apps-enabled"], 6: [""]},
            None,
            id="nobody",
        ),
    ],
)
def test_there_can_be_only_one(monkeypatch, source, links, processes, told):
    monkeypatch.setattr(_systemd, "show", lambda units: {unit: Instance(active=True) for unit in units})
    monkeypatch.setattr(_emperor, "run", lambda argv: Completed(tuple(argv), 0, f"{source}\n"))
    monkeypatch.setattr(_emperor.glob, "glob", lambda pattern: links)
    monkeypatch.setattr(_emperor._processes, "command_lines", lambda: processes)
    monkeypatch.setattr(_emperor._processes, "unit", lambda pid: None)
    if told is None:
        Vassals().check()
        return
    with pytest.raises(AppFailure, match=told):
        Vassals().check()


def test_another_emperor_may_watch_another_directory():
    assert _emperor.watches("[uwsgi]\nemperor = /etc/uwsgi/apps-enabled\n")
    assert not _emperor.watches("[uwsgi]\n# emperor = /etc/uwsgi/apps-enabled\nemperor = /etc/uwsgi-emperor/vassals\n")


def test_the_emperors_files_name_what_the_code_names():
    options = dict(line.split(" = ", 1) for line in (TEMPLATES / "emperor.ini.j2").read_text().splitlines() if " = " in line)
    assert options["emperor"] == _layout.VASSALS_ENABLED
    assert options["emperor-stats"] == _layout.EMPEROR_STATS
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
        script = text.replace("{{ __uwsgi_directory }}", "/srv/wsgi")
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
