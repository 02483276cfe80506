# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _open_ports
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._packet_filters import PacketFilters

CLOSED = PacketFilters(iptables={4: ("*filter\n:INPUT DROP [0:0]\n",)}, interfaces=("eth0",))
SED = "sed -i --follow-symlinks"
UNIT = "/etc/systemd/system/shop.service"


def judge(
    bound,
    address="127.0.0.1:8001",
    protocol="http",
    command="gunicorn",
    files=None,
    firewall=None,
    restart="systemctl restart shop",
):
    own = {"203.0.113.9", "127.0.0.1"}
    return _open_ports.judge(
        address, protocol, bound, command, files or {}, restart, own, firewall or PacketFilters(interfaces=("eth0",))
    )


@pytest.mark.parametrize(
    ("bound", "open_to_all"),
    [
        ("127.0.0.1:8001", False),
        ("[::1]:8001", False),
        ("0.0.0.0:8001", True),
        ("*:8001", True),
        ("203.0.113.9:8001", True),
        ("198.51.100.1:8001", False),
    ],
)
def test_an_app_that_listens_for_strangers_is_found(bound, open_to_all):
    assert [finding.code for finding in judge(bound)] == ["port_open"] * open_to_all


def test_a_firewall_may_keep_them_away_but_not_from_containers():
    assert judge("0.0.0.0:8001", firewall=CLOSED) == []
    (found,) = judge("0.0.0.0:8001", command="docker-proxy", firewall=CLOSED)
    assert found.fix == "Publish the port of the container on the loopback interface alone, as 127.0.0.1:8001."


def test_uwsgis_protocol_is_worse():
    assert "run any code" in judge("0.0.0.0:8001", protocol="uwsgi")[0].message
    assert "X-Forwarded-For" in judge("0.0.0.0:8001")[0].message


@pytest.mark.parametrize(
    ("files", "restart", "fix"),
    [
        (
            {UNIT: "ExecStart=/srv/gunicorn --bind 0.0.0.0:8001 app"},
            "systemctl restart shop",
            f"{SED} 's/0\\.0\\.0\\.0:8001/127.0.0.1:8001/' {UNIT} && systemctl daemon-reload && systemctl restart shop",
        ),
        (
            {"/etc/shop.ini": "[uwsgi]\nsocket = :8001\n", "/etc/other.ini": "socket = :80012"},
            "systemctl restart shop",
            f"{SED} s/:8001/127.0.0.1:8001/ /etc/shop.ini && systemctl restart shop",
        ),
        (
            {"/etc/supervisor/conf.d/shop.conf": "command=gunicorn -b [::]:8001"},
            "supervisorctl restart web:shop",
            f"{SED} 's/\\[::\\]:8001/127.0.0.1:8001/' /etc/supervisor/conf.d/shop.conf && supervisorctl update web",
        ),
        ({}, "systemctl restart shop", "Have the app listen on 127.0.0.1:8001, then run: systemctl restart shop."),
        (
            {"/etc/systemd/system/shop.socket": "ListenStream=0.0.0.0:8001"},
            "systemctl restart shop",
            "Have the app listen on 127.0.0.1:8001 in /etc/systemd/system/shop.socket, then run: systemctl restart shop.",
        ),
        (
            {UNIT: "--bind 0.0.0.0:8001", "/etc/shop.ini": "bind = 0.0.0.0:8001"},
            "systemctl restart shop",
            f"Have the app listen on 127.0.0.1:8001 in {UNIT} and /etc/shop.ini, then run: systemctl restart shop.",
        ),
    ],
)
def test_the_fix_changes_the_one_line_that_says_so(files, restart, fix):
    assert judge("0.0.0.0:8001", files=files, restart=restart)[0].fix == fix


def test_an_address_that_nginx_uses_stays_reachable():
    text = {UNIT: "--bind 0.0.0.0:8001"}
    assert "/203.0.113.9:8001/" in judge("0.0.0.0:8001", address="203.0.113.9:8001", files=text)[0].fix
