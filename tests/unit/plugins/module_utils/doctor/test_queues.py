# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _queues
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener

SHOP = "unix:/run/shop.sock"


def test_a_queue_has_to_be_full_twice():
    def judged(before, after, limit=10):
        listeners = [Listener(SHOP, before, limit), Listener(SHOP, after, limit)]
        return [finding.code for finding in _queues.judge_queue(SHOP, *listeners, "systemctl restart shop")]

    assert judged(9, 9) == ["backlog_filling"]
    assert judged(9, 0) == judged(0, 9) == judged(2, 2) == judged(3, 3, limit=2) == []
    assert _queues.judge_queue(SHOP, None, None, "") == []


EXTENDED = """\
u_str LISTEN 0  100  /run/shop.sock 3405903  * 0     <-> ino:188 dev:0/129 peers:
u_str ESTAB  0  0    * 3405904  * 3405905
tcp   LISTEN 0  2048 127.0.0.1:8001 0.0.0.0:* uid:999 ino:3407325 sk:1471 cgroup:/shop.service <->
"""


def test_a_socket_is_found_among_the_files_of_processes():
    inodes = _sockets.parse_inodes(EXTENDED)
    assert inodes == {SHOP: "3405903", "127.0.0.1:8001": "3407325"}
    links = {7: {"cwd": "/", "files": {"3": "socket:[3405903]"}}, 8: {"cwd": "/", "files": {"3": "/dev/null"}}}
    assert _queues.holders(inodes[SHOP], links) == [7]
    assert _queues.holders("", links) == []
