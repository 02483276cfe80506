# SPDX-License-Identifier: GPL-3.0-or-later
"""What ss prints, read."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener, parse, parse_listeners

SHOWN = """\
u_str LISTEN 0      1024   /run/wsgi/shop/blue.sock 18021            * 0
u_str LISTEN 7      1024  /run/wsgi/shop/green.sock 18022            * 0
u_str ESTAB  3      0                             * 18100            * 18101
u_seq LISTEN 0      4096          /run/udev/control 1155             * 0
"""


def test_the_backlog_is_read_by_path():
    assert parse(SHOWN) == {"/run/wsgi/shop/blue.sock": 0, "/run/wsgi/shop/green.sock": 7, "/run/udev/control": 0}


LISTENING = """\
u_str LISTEN 0      100               shop.sock 7001  * 0     users:(("uwsgi",pid=12,fd=3),("uwsgi",pid=11,fd=3))
u_str LISTEN 3      2      /run/blog/blog.sock 7002  * 0
u_str ESTAB  0      0                         * 7003  * 7004
tcp   LISTEN 0      511            0.0.0.0:80   0.0.0.0:*     users:(("nginx",pid=9,fd=5))
tcp   LISTEN 0      511               [::]:80      [::]:*
"""


def test_whoever_listens_is_read_with_the_processes():
    assert parse_listeners(LISTENING) == [
        Listener("unix:shop.sock", 0, 100, (11, 12)),
        Listener("unix:/run/blog/blog.sock", 3, 2),
        Listener("0.0.0.0:80", 0, 511, (9,)),
        Listener("[::]:80", 0, 511),
    ]
