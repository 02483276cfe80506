# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _nginx_start
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._nginx_start import Holder
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, Listen, ServerBlock

UNIT = {"LoadState": "loaded", "ActiveState": "failed", "Result": "exit-code", "UnitFileState": "enabled"}


@pytest.fixture(autouse=True)
def logs(monkeypatch):
    monkeypatch.setattr(_nginx_start.os.path, "isdir", lambda path: not path.startswith("/var/log/gone"))


def why(cause="", holders=(), running=False, logs=()):
    return _nginx_start.why(cause, Configuration(logs=logs), holders, running)


def test_without_a_known_cause_there_is_none():
    assert why() is None
    assert why('unknown directive "x" in /etc/nginx/nginx.conf:3') is None


def test_a_host_that_does_not_resolve():
    found = why('host not found in upstream "media1.lan" in /etc/nginx/sites-enabled/media:5')
    assert found.code == "nginx_host_not_found"
    assert "media1.lan in /etc/nginx/sites-enabled/media:5" in found.text
    assert is_sentence(found.fix)


def test_a_link_that_leads_nowhere(monkeypatch):
    monkeypatch.setattr(_nginx_start.os.path, "islink", lambda path: path.startswith("/etc/nginx/sites-enabled/"))
    monkeypatch.setattr(_nginx_start.os, "readlink", lambda path: "../sites-available/shop")
    found = why('open() "/etc/nginx/sites-enabled/shop" failed (2: No such file or directory) in /etc/nginx/nginx.conf:60')
    assert (found.code, found.fix) == (
        "nginx_dangling_link",
        "rm /etc/nginx/sites-enabled/shop && nginx -t && systemctl start nginx",
    )


def test_the_directory_of_the_logs_is_gone():
    found = why(logs=("/var/log/gone/access.log",))
    assert found.fix == "install -d -o root -g adm -m 755 /var/log/gone && nginx -t && systemctl start nginx"


def test_who_has_the_port_is_named_and_the_choice_is_left():
    found = why(holders=[Holder("0.0.0.0:80", 7, "python3 (process 7, user root)", "apache2.service")])
    assert "0.0.0.0:80 is python3 (process 7, user root)'s (apache2.service)" in found.text
    assert is_sentence(found.fix)
    assert "systemctl disable --now apache2 && systemctl start nginx" in found.fix


@pytest.mark.parametrize(
    ("wanted", "taken", "collides"),
    [
        ("*", "0.0.0.0", True),
        ("*", "*", True),
        ("*", "127.0.0.1", True),
        ("*", "[::]", False),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("[::]", "*", True),
        ("[::]", "[::1]", True),
        ("[::]", "0.0.0.0", False),
    ],
)
def test_which_addresses_exclude_each_other(wanted, taken, collides):
    assert _nginx_start.collide(wanted, taken) is collides


def test_only_others_that_have_a_port_of_nginx_are_in_its_way(monkeypatch):
    monkeypatch.setattr(_nginx_start._processes, "described", lambda pid: None)
    configuration = Configuration(servers=(ServerBlock(listens=(Listen("*:80"), Listen("*:443"))),))
    listeners = [Listener("0.0.0.0:80", 0, 1, (7,)), Listener("0.0.0.0:443", 0, 1, (9,)), Listener("0.0.0.0:22", 0, 1, (5,))]
    assert [each.address for each in _nginx_start.holders(configuration, listeners, [9])] == ["0.0.0.0:80"]


@pytest.mark.parametrize(
    ("unit", "own", "by_hand", "found"),
    [
        ({}, "", "a shell", True),
        ({}, "certbot.service", "", True),
        ({"ActiveState": "active"}, "nginx.service", "", False),
        ({"UnitFileState": "disabled"}, "", "a shell", False),
        ({}, "docker.service", "", False),
    ],
)
def test_nginx_past_systemd(unit, own, by_hand, found):
    assert bool(_nginx_start.past_systemd(7, {**UNIT, **unit}, own, by_hand)) is found


@pytest.mark.parametrize(
    ("fix", "adapted"),
    [
        ("nginx -t && systemctl reload nginx", f"nginx -t && {_nginx_start.handed_over(7)}"),
        ("systemctl reload-or-restart nginx", _nginx_start.handed_over(7)),
        ("systemctl restart nginx-agent", "systemctl restart nginx-agent"),
        ("systemctl restart shop", "systemctl restart shop"),
    ],
)
def test_a_fix_reloads_what_runs_past_systemd(fix, adapted):
    assert _nginx_start.adapted(fix, 7) == adapted
