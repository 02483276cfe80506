# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd's files for the loopback addresses of apps."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.filter.bind_files import bind_files

APP = {"name": "shop", "bind": "127.0.0.1:8004", "upstream": "/run/wsgi/shop/app.sock", "user": "shop", "group": "shop"}


def test_an_app_with_an_address_has_a_socket_a_service_and_a_link():
    tree = bind_files([APP, {**APP, "name": "blog", "bind": None}])
    assert tree["app_listens"] == {"shop": ["127.0.0.1:8004"]}
    assert [(file["src"], file["dest"]) for file in tree["files"]] == [
        ("bind.socket.j2", "/etc/systemd/system/wsgi-bind-shop.socket"),
        ("bind.service.j2", "/etc/systemd/system/wsgi-bind-shop.service"),
    ]
    assert [file["vars"] for file in tree["files"]] == [APP, APP]
    assert tree["links"] == [
        {
            "path": "/etc/systemd/system/sockets.target.wants/wsgi-bind-shop.socket",
            "target": "/etc/systemd/system/wsgi-bind-shop.socket",
            "apps": ["shop"],
        }
    ]
