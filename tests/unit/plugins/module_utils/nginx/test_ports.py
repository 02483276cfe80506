# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests of module_utils.nginx._ports."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _ports

NGINX = 10
BOTH = ["80", "[::]:80"]


def at(address, pid=77):
    return Listener(address, 0, 128, (pid,))


@pytest.mark.parametrize("address", ["0.0.0.0:80", "*:80", "127.0.0.1:80", "[::]:80", "[::1]:80"])
def test_a_port_is_taken_at_any_address(address):
    assert _ports.holder(BOTH, [at("unix:/run/x:80"), at("0.0.0.0:8080"), at(address)], NGINX) == at(address)


@pytest.mark.parametrize(
    ("listens", "listeners"),
    [
        (BOTH, [at("0.0.0.0:80", NGINX), at("[::]:80", NGINX)]),
        (["80"], [at("[::]:80")]),
        (BOTH, [at("0.0.0.0:180"), at("unix:/a:80")]),
        ([], [at("0.0.0.0:80")]),
    ],
    ids=["the service itself", "the other family", "another port", "nothing to listen at"],
)
def test_a_port_is_free(listens, listeners):
    assert _ports.holder(listens, listeners, NGINX) is None


@pytest.mark.parametrize(
    ("wanted", "there", "clash"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000", True),
        ("127.0.0.1:8000", "0.0.0.0:8000", True),
        ("127.0.0.1:8000", "*:8000", True),
        ("127.0.0.1:8000", "127.0.0.2:8000", False),
        ("127.0.0.1:8000", "[::1]:8000", False),
        ("[::1]:8000", "[::1]%lo:8000", True),
        ("[::1]:8000", "[::]:8000", True),
        ("8000", "127.0.0.1%lo:8000", True),
    ],
)
def test_one_address_is_in_the_way_of_itself_and_of_all(wanted, there, clash):
    assert (_ports.holder([wanted], [at(there)], NGINX) is not None) == clash


def test_nothing_runs_yet():
    """A process that ss(8) does not show is not the one with the number 0."""
    assert _ports.holder(BOTH, [Listener("0.0.0.0:80", 0, 128, ())], 0)
