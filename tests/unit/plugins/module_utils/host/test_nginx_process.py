# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is nginx, whatever others call themselves."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _nginx_process, _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._nginx_process import Master

CONTAINED = 6
TITLE = "nginx: master process /usr/sbin/nginx -g daemon on;"
ROOT, SETUID, EVIL = ["0"] * 4, ["1000", "0", "0", "0"], ["1000"] * 4


@pytest.fixture
def processes(monkeypatch):
    """Processes by their ids: user ids, title, parent, and whether their program is root's alone."""

    def there_are(found):
        monkeypatch.setattr(_processes, "all_processes", lambda: {(pid, pid): each[2] for pid, each in found.items()})
        monkeypatch.setattr(
            _processes, "status", lambda pid: {"Uid": found[pid][0], "NSpid": ["1"] * (1 + (pid == 6))} if pid != "self" else {}
        )
        monkeypatch.setattr(_processes, "command_line", lambda pid: [found[pid][1]])
        monkeypatch.setattr(_processes, "unit", {7: "web.service", 8: "nginx.service"}.get)
        monkeypatch.setattr(_nginx_process, "_has_our_root", lambda _pid: True)
        monkeypatch.setattr(_nginx_process, "_program", lambda pid: "/usr/sbin/nginx" if found[pid][3] else "")

    return there_are


@pytest.mark.parametrize(
    ("uids", "title", "safe", "is_one"),
    [
        (ROOT, TITLE, True, True),
        (EVIL, TITLE, True, False),
        (SETUID, TITLE, True, False),
        (ROOT, TITLE, False, False),
        (ROOT, "nginx: worker process", True, False),
        (ROOT, "vi nginx: master process", True, False),
    ],
)
def test_a_master_is_roots_and_so_is_its_program(processes, uids, title, safe, is_one):
    processes({7: (uids, title, 1, safe)})
    assert _nginx_process.masters() == ([Master(7, "/usr/sbin/nginx")] if is_one else [])
    expected = [] if is_one or not title.startswith("nginx: master") else [7]
    assert [int(words.split()[1]) for words in _nginx_process.pretenders()] == expected


def test_those_in_containers_are_left_out(processes):
    processes({CONTAINED: (ROOT, TITLE, 1, True)})
    assert (_nginx_process.masters(), _nginx_process.pretenders()) == ([], [])


def test_the_one_of_the_service_comes_first(processes):
    processes(dict.fromkeys((7, 8, 9), (ROOT, TITLE, 1, True)))
    assert [master.pid for master in _nginx_process.masters()] == [8, 7, 9]


def test_its_workers_are_its_children_but_not_the_new_master_of_an_upgrade(processes):
    worker = (["33"] * 4, "anything", 8, True)
    processes(
        {8: (ROOT, TITLE, 1, True), 9: worker, 11: (ROOT, TITLE, 8, True), 12: worker, 13: (EVIL, "nginx: worker", 1, True)}
    )
    assert _nginx_process.workers(8) == [12, 9]


def test_a_title_says_where_the_configuration_is():
    assert _nginx_process.options(TITLE) == ()
    assert _nginx_process.options("nginx: master process nginx -c /srv/n.conf -p /srv -q") == ("-c", "/srv/n.conf", "-p", "/srv")
    assert Master(7, "/usr/sbin/nginx", ("-p", "/srv")).command == ["/usr/sbin/nginx", "-p", "/srv"]
