# SPDX-License-Identifier: GPL-3.0-or-later
"""What ss prints, read."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils._sockets import parse

SHOWN = """\
u_str LISTEN 0      1024   /run/wsgi/shop/blue.sock 18021            * 0
u_str LISTEN 7      1024  /run/wsgi/shop/green.sock 18022            * 0
u_str ESTAB  3      0                             * 18100            * 18101
u_seq LISTEN 0      4096          /run/udev/control 1155             * 0
"""


def test_the_backlog_is_read_by_path():
    assert parse(SHOWN) == {"/run/wsgi/shop/blue.sock": 0, "/run/wsgi/shop/green.sock": 7, "/run/udev/control": 0}
