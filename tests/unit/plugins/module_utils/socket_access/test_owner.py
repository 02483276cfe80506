# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts the server of a socket."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._processes import ListeningProcess
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starter_programs import ProgramState, Supervisor
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Catalog, Starter, Text
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _owner
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner, SocketSetting

PATH = "/home/sammy/shop/shop.sock"


RUNNING = ListeningProcess(7, 1000, ("/srv/shop/venv/bin/gunicorn",), "shop.service", 1000.0)


def host(*starters):
    return HostCatalog(Catalog(starters))


def starter(unit, text=f"--bind unix:{PATH}", **options):
    return Starter(unit, texts=(Text(text, "", "/etc/x"),), file="/etc/x", **options)


@pytest.fixture(autouse=True)
def groups(monkeypatch):
    """The control groups of processes."""
    texts = {}
    monkeypatch.setattr(_owner._processes, "text", lambda pid, name, *rest: texts.get(pid, ""))
    monkeypatch.setattr(_owner._systemd, "is_active", lambda unit: True)
    return texts


def test_without_a_server_it_is_what_names_the_address():
    found = _owner.owner(PATH, None, host(starter("blog.service", "--bind unix:/run/blog.sock"), starter("shop.service")))
    assert found == Owner("shop.service", files=("/etc/x",))
    assert (found.start(), found.restart()) == ("systemctl start shop", "systemctl restart shop")
    assert _owner.owner("/run/other.sock", None, host(starter("shop.service"))) is None


def test_the_unit_of_the_server_is_the_owner_whatever_names_the_address():
    assert _owner.owner(PATH, RUNNING, host(starter("old.service"))) == Owner("shop.service")


def test_what_was_started_by_hand_belongs_to_what_should_start_it():
    by_hand = replace(RUNNING, unit="ssh.service")
    assert _owner.owner(PATH, by_hand, host(starter("shop.service"))).unit == "shop.service"
    assert _owner.owner(PATH, by_hand, host()) is None


def test_a_unit_of_a_user(groups):
    groups[7] = "0::/user.slice/user-0.slice/user@0.service/app.slice/shop.service\n"
    found = _owner.owner(PATH, replace(RUNNING, unit="user@0.service"), host())
    assert (found.unit, found.user) == ("shop.service", "root")
    assert found.restart().endswith("systemctl --user restart shop")


def test_the_program_of_supervisor_that_runs_the_server(monkeypatch):
    monkeypatch.setattr(_owner._starter_programs._processes, "all_processes", lambda: {(7, 1): 5, (5, 1): 1})
    states = {"web:shop": ProgramState("RUNNING", pid=5), "web:blog": ProgramState("RUNNING", pid=6)}
    listed = HostCatalog(Catalog((starter("supervisor.service", program="web:blog"),)), Supervisor({}, states, True))
    found = _owner.owner(PATH, replace(RUNNING, unit="supervisor.service"), listed)
    assert (found.program, found.restart(), found.start()) == (
        "web:shop",
        "supervisorctl restart web:shop",
        "supervisorctl start web:shop",
    )


def test_a_vassal_is_touched_and_an_app_of_debians_uwsgi_started_with_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(_owner._untrusted, "is_roots_alone", lambda path: True)
    assert Owner("emperor.service", vassal="/etc/uwsgi/vassals/shop.ini").restart() == (
        "touch --no-create /etc/uwsgi/vassals/shop.ini"
    )
    assert Owner("uwsgi.service", vassal="/etc/uwsgi/apps-enabled/shop.ini").start() == "systemctl restart uwsgi"


def test_a_file_that_others_can_replace_is_touched_as_its_owner(tmp_path, monkeypatch):
    (tmp_path / "shop.ini").write_text("")
    monkeypatch.setattr(_owner._untrusted, "is_roots_alone", lambda path: False)
    monkeypatch.setattr(_owner.os, "stat", lambda path: SimpleNamespace(st_uid=1))
    assert _owner.touched(str(tmp_path / "shop.ini")).startswith("runuser -u daemon -- touch")


@pytest.mark.parametrize(
    ("text", "mode", "user", "group"),
    [
        ("chmod-socket = 660\nchown-socket = sammy:www-data\n", 0o660, "sammy", "www-data"),
        ("chmod-socket\n", 0o666, "", ""),
        ("chmod-socket=664\nchmod-socket=660\n", 0o660, "", ""),
        ("  chmod-socket: 0660\n", 0o660, "", ""),
        ("; chmod-socket = 660\n", -1, "", ""),
        ("socket = x\n", -1, "", ""),
    ],
)
def test_what_a_configuration_says_of_its_socket(text, mode, user, group):
    assert _owner.parsed_setting(text, "x.ini") == SocketSetting("x.ini", mode, user, group)


LISTENERS = [
    Listener("unix:/run/a.sock", 0, 100, (7,)),
    Listener("unix:b.sock", 3, 2),
    Listener("unix:c.sock", 0, 2),
    Listener("unix:c.sock", 1, 2),
    Listener("0.0.0.0:8000", 0, 128, (9,)),
]


@pytest.mark.parametrize(
    ("address", "resolved", "place"),
    [
        ("unix:/run/a.sock", "", 0),
        ("unix:/srv/link.sock", "/run/a.sock", 0),
        ("unix:/home/b.sock", "", 1),
        ("unix:/home/ab.sock", "", None),
        ("unix:/home/c.sock", "", None),
        ("127.0.0.1:8000", "", 4),
        ("localhost:8000", "", 4),
        ("192.0.2.7:8000", "", None),
        ("127.0.0.1:8001", "", None),
    ],
)
def test_who_listens(address, resolved, place):
    assert _owner.fitting(LISTENERS, address, resolved) == (None if place is None else LISTENERS[place])


def test_a_server_whose_socket_was_replaced_gets_no_requests():
    old = Listener("unix:/run/a.sock", 0, 100, (7,), "ino:1 dev:0/5")
    new = Listener("unix:/run/a.sock", 0, 100, (8,), "ino:2 dev:0/5")
    assert _owner.fitting([old, new], "unix:/run/a.sock", "/run/a.sock", new.file) == new
    assert _owner.outlived([old, new], "unix:/run/a.sock", "/run/a.sock", new.file) == [old]
    assert _owner.fitting([old], "unix:/run/a.sock", "/run/a.sock", new.file) is None


def test_a_relative_path_begins_where_the_file_is_the_sockets(tmp_path, monkeypatch):
    for name in ("shop", "blog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.sock").write_text("")
    place = f"{tmp_path}/shop/app.sock"
    listener = Listener("unix:app.sock", 0, 1, (7,), _owner._sockets.file_at(place))
    shop, blog = (Starter(f"{name}.service", texts=(Text("", f"{tmp_path}/{name}"),)) for name in ("shop", "blog"))
    by_hand = dict.fromkeys(["/proc/7/cwd"], f"{tmp_path}/shop")
    monkeypatch.setattr(_owner.os, "readlink", lambda path: by_hand[path])
    (found,) = _owner.placed([listener], host(blog))
    assert (found.address, found.inode) == (f"unix:{place}", listener.inode)
    assert _owner.fitting([found], f"unix:{tmp_path}/shop/app/app.sock") is None
    by_hand["/proc/7/cwd"] = "/"
    assert _owner.placed([listener], host(blog)) == [listener]
    assert _owner.placed([listener], host(blog, shop)) == [found]
