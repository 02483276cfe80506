# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of sites are open where ufw is active, and no others."""

from __future__ import annotations

import socket

import pytest
from conftest import on


@pytest.fixture
def ufw(server):
    server.need("ufw", "iptables")
    server.sh("ufw allow 22/tcp && ufw deny 81/tcp && ufw --force enable")
    yield
    server.sh("ufw --force disable && ufw --force reset")


def reachable(server, port):
    """Whether the port takes connections from outside of the host."""
    try:
        socket.create_connection((server.address, port), timeout=2).close()
    except OSError:
        return False
    return True


@on(12)
@pytest.mark.usefixtures("ufw")
def test_ports_are_opened_and_closed(server, hello):
    assert not reachable(server, 80)
    server.converge([hello])
    assert reachable(server, 80)
    assert server.converge([hello]).changed == []

    server.converge([hello], nginx_http_ports=[8080])
    assert [port for port in (22, 80, 81, 8080) if reachable(server, port)] == [22, 8080]
    assert server.sh("curl -s http://127.0.0.1:8080/").startswith("hello|")
    rules = server.sh("ufw show added").splitlines()
    assert "ufw allow 22/tcp" in rules, "somebody else's rule is gone"
    assert "ufw deny 81/tcp" in rules, "somebody else's rule is gone"

    # Rules of a firewall that is off come into force when it is switched on, so they go with the apps all the same.
    assert "ufw allow 8080/tcp comment 'wsgi.stack'" in rules
    server.sh("ufw disable")
    play = server.play(None, "playbooks/uninstall.yml", wsgi_remove_shared=True)
    assert play.code == 0, play.output
    rules.remove("ufw allow 8080/tcp comment 'wsgi.stack'")
    assert server.sh("ufw show added").splitlines() == rules
