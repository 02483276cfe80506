# SPDX-License-Identifier: GPL-3.0-or-later
"""What ss prints, read."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener, parse, parse_inodes, somaxconn, waiting

LISTENING = """\
u_str LISTEN 0      100               shop.sock 7001  * 0     users:(("uwsgi",pid=12,fd=3),("uwsgi",pid=11,fd=3))
u_str LISTEN 3      2      /run/blog/blog.sock 7002  * 0
u_str ESTAB  0      0                         * 7003  * 7004
tcp   LISTEN 0      511            0.0.0.0:80   0.0.0.0:*     users:(("nginx",pid=9,fd=5))
tcp   LISTEN 0      511               [::]:80      [::]:*
"""


def test_whoever_listens_is_read_with_the_processes():
    assert parse(LISTENING) == [
        Listener("unix:shop.sock", 0, 100, (11, 12), inode="7001"),
        Listener("unix:/run/blog/blog.sock", 3, 2, inode="7002"),
        Listener("0.0.0.0:80", 0, 511, (9,)),
        Listener("[::]:80", 0, 511),
    ]


def test_the_backlog_of_a_slot_is_that_of_its_file(monkeypatch, tmp_path):
    path = tmp_path / "blue.sock"
    path.write_text("")
    status = path.stat()
    shown = "u_str LISTEN {} 1024 {} 18020 * 0 <-> ino:{} dev:{} peers:\n"
    place = _sockets.device(status.st_dev)
    rows = [(9, path, status.st_ino, place), (5, path, status.st_ino + 1, place), (4, f"{path}x", status.st_ino, place)]
    output = "".join(shown.format(*row) for row in rows)
    monkeypatch.setattr(_sockets, "run", lambda argv, timeout: Completed(tuple(argv), 0, output))
    assert waiting(str(path)) == 9
    path.unlink()
    assert waiting(str(path)) == 0


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [((0, 26), "0/26"), ((0, 255), "0/255"), ((0, 513), "2/1"), ((254, 0), "0/65024"), ((8, 1), "0/2049")],
)
def test_a_device_is_named_as_ss_does(numbers, shown):
    assert _sockets.device(os.makedev(*numbers)) == shown


@pytest.mark.parametrize("directory", ["/dev/shm", "/tmp"], ids=["memory", "disk"])
def test_what_waits_for_a_server_is_counted(directory):
    path = f"{directory}/wsgi-stack-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        try:
            server.listen(5)
            client.connect(path)
            assert waiting(path) == 1
        finally:
            os.unlink(path)


EXTENDED = """\
u_str LISTEN 0  100  /run/shop.sock 3405903  * 0     <-> ino:188 dev:0/129 peers:
u_str ESTAB  0  0    * 3405904  * 3405905
tcp   LISTEN 0  2048 127.0.0.1:8001 0.0.0.0:* uid:999 ino:3407325 sk:1471 cgroup:/shop.service <->
"""


def test_inodes_are_read_by_address():
    assert parse_inodes(EXTENDED) == {"unix:/run/shop.sock": "3405903", "127.0.0.1:8001": "3407325"}


def test_the_kernel_has_a_limit():
    assert somaxconn() > 0


def test_what_a_process_calls_itself_is_not_its_id():
    name = 'x",pid=1,fd=3)'  # of a process: 15 bytes at most
    users = f'users:(("{name}",pid=7,fd=3),("{name}",pid=8,fd=4))'
    (found,) = parse(f"u_str LISTEN 0 100 /run/a.sock 1 * 0 {users}\n")
    assert found.pids == (7, 8)
