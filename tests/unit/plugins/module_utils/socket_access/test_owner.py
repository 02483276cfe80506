# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts the server of a socket."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _owner
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner, SocketSetting

PATH = "/home/sammy/shop/shop.sock"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """An empty host: directories for units, programs of supervisor and Debian's uWSGI apps."""
    for name in ("units", "supervisor", "apps", "etc"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(_owner, "UNITS", (str(tmp_path / "units"),))
    monkeypatch.setattr(_owner, "SUPERVISOR", str(tmp_path / "supervisor"))
    monkeypatch.setattr(_owner, "DEBIAN_APPS", str(tmp_path / "apps"))
    return tmp_path


def test_a_unit_that_names_the_path(host):
    (host / "units/blog.service").write_text("[Service]\nExecStart=/usr/bin/gunicorn --bind unix:/run/blog.sock wsgi\n")
    (host / "units/other.service").write_text("[Service]\nExecStart=/usr/bin/gunicorn --bind unix:/run/blog.socket wsgi\n")
    found = _owner.owner("/run/blog.sock")
    assert found == Owner("blog.service", files=(f"{host}/units/blog.service",))
    assert (found.start(), found.restart()) == ("systemctl start blog", "systemctl restart blog")


def test_a_unit_whose_configuration_names_the_path_relative_to_its_directory(host):
    ini = host / "etc/shop.ini"
    ini.write_text("[uwsgi]\nchdir = /home/sammy/shop\nsocket = shop.sock\n")
    (host / "units/shop.service").write_text(f"[Service]\nWorkingDirectory={host}/etc\nExecStart=/usr/bin/uwsgi --ini shop.ini\n")
    assert _owner.owner(PATH) == Owner("shop.service", files=(str(ini),))
    assert _owner.owner("/home/other/shop/shop.sock") is None


def test_a_socket_of_systemd(host):
    (host / "units/shop.socket").write_text("[Socket]\nListenStream=/run/shop.sock\n")
    assert _owner.owner("/run/shop.sock").restart() == "systemctl restart shop.socket"


def test_a_vassal(host, monkeypatch):
    (host / "etc/vassals").mkdir()
    vassal = host / "etc/vassals/shop.ini"
    vassal.write_text(f"[uwsgi]\nsocket = {PATH}\n")
    (host / "units/emperor.service").write_text(f"[Service]\nExecStart=/usr/bin/uwsgi --emperor {host}/etc/vassals\n")
    monkeypatch.setattr(_owner._systemd, "is_active", lambda unit: True)
    found = _owner.owner(PATH)
    assert (found.unit, found.restart()) == ("emperor.service", f"touch --no-create {vassal}")


def test_a_program_of_supervisor(host):
    (host / "supervisor/shop.conf").write_text(
        f"[program:blog]\ncommand=x\n[program:shop]\ncommand=gunicorn -b unix:{PATH} wsgi\n"
    )
    assert _owner.owner(PATH).restart() == "supervisorctl restart shop"


def test_an_application_of_debians_uwsgi(host):
    (host / "apps/shop.ini").write_text("[uwsgi]\n")
    assert _owner.owner("/run/uwsgi/app/shop/socket").unit == "uwsgi.service"


@pytest.mark.parametrize(
    ("text", "directory", "found"),
    [
        (f"--bind unix:{PATH} wsgi", "", True),
        (f"socket = {PATH}.old", "", False),
        ("socket = shop.sock", "/home/sammy/shop/", True),
        ("socket = shop.sock", "/home/sammy", False),
        ("socket = myshop.sock", "/home/sammy/shop", False),
    ],
)
def test_a_path_is_named_in_full_or_in_its_directory(text, directory, found):
    assert _owner.names(text, PATH, directory) is found


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


def test_an_owner_says_how_it_is_started():
    assert _owner.Owner("supervisor.service", "shop").start() == "supervisorctl restart shop"
