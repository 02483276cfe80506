# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _selection


def servers(text):
    return _configuration.parse(f"# configuration file /n:\nhttp {{ {text} }}\n").servers


NAMES = """
    server { listen 80; server_name a.test; }
    server { listen 80 default_server; server_name b.test .dot.test; }
    server { listen 80; server_name *.a.test; }
    server { listen 80; server_name *.x.a.test; }
    server { listen 80; server_name www.*; }
    server { listen 80; server_name ~^n\\d+\\.test$ ~^(?<name>.+)\\.named$; }
"""


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("a.test", 0),
        ("A.Test.", 0),
        ("unknown", 1),
        ("", 1),
        ("dot.test", 1),
        ("www.dot.test", 1),
        ("w.a.test", 2),
        ("w.x.a.test", 3),
        ("www.example", 4),
        ("n17.test", 5),
        ("shop.named", 5),
    ],
)
def test_the_server_block_of_a_name(name, number):
    found = servers(NAMES)
    assert _selection.chosen(found, "192.0.2.1", 80, name) is found[number]


@pytest.mark.parametrize(
    ("listens", "address", "number"),
    [
        (("80", "80"), "192.0.2.1", 0),
        (("80", "192.0.2.1:80"), "192.0.2.1", 1),
        (("80", "192.0.2.1:80"), "192.0.2.2", 0),
        (("0.0.0.0:80", "127.0.0.1:80"), "127.0.0.1", 1),
        (("80", "[::]:80"), "2001:db8::1", 1),
        (("80", "8080"), "2001:db8::1", None),
        (("[::]:80", "8080"), "192.0.2.1", None),
        (("[::]:80 ipv6only=off", "8080"), "192.0.2.1", 0),
        (("[2001:db8::1]:80", "[::]:80"), "2001:db8::1", 0),
    ],
)
def test_a_listen_for_one_address_hides_those_for_all(listens, address, number):
    found = servers("".join(f"server {{ listen {listen}; server_name {place}; }}" for place, listen in enumerate(listens)))
    chosen = _selection.chosen(found, address, 80, "0")
    assert chosen is (None if number is None else found[number])


def test_one_listen_decides_for_all_of_an_address():
    found = servers("server { listen 443 ssl proxy_protocol; } server { listen 443; } server { listen 8443; }")
    listens = [server.listens[0] for server in found]
    assert [_selection.is_tls(found, listen) for listen in listens] == [True, True, False]
    assert [_selection.has_proxy_protocol(found, listen) for listen in listens] == [True, True, False]
