# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _filter_chains, _iptables
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Connection

STRANGER = Connection(80, incoming="eth0", source="198.51.100.7")

UFW = """
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-user-input - [0:0]
:ufw-not-local - [0:0]
-A INPUT -j ufw-before-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] -j ACCEPT"
-A ufw-not-local -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment "ssh for 'admins'" -j ACCEPT
{rule}
COMMIT
*nat
:INPUT DROP [0:0]
COMMIT
"""


def refused(text, connection=STRANGER):
    return _filter_chains.refusing(_iptables.chains(text, connection), connection) is not None


@pytest.mark.parametrize(
    ("rule", "closed"),
    [
        ("", True),
        ("-A ufw-user-input -p tcp -m tcp --dport 80 -j ACCEPT", False),
        ("-A ufw-user-input -p tcp -m multiport --dports 443,79:81 -j ACCEPT", False),
        ("-A ufw-user-input -p udp -m udp --dport 80 -j ACCEPT", True),
        ("-A ufw-user-input -p tcp -m tcp ! --dport 80 -j ACCEPT", True),
        ("-A ufw-user-input -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j ACCEPT", True),
        ("-A ufw-user-input ! -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j ACCEPT", False),
        ("-A ufw-user-input -i wg0 -j ACCEPT", True),
        ("-A ufw-user-input -i eth+ -j ACCEPT", False),
        ("-A ufw-user-input -p tcp -m tcp --dport 80 -m recent --name x -j ACCEPT", False),
        ("-A ufw-user-input -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", False),
        ("-A ufw-user-input -p tcp -m conntrack --ctstate NEW -j ACCEPT", False),
        ("-A ufw-user-input -j NFQUEUE --queue-num 0", False),
        ("-A ufw-user-input -j 'LOG", False),
    ],
)
def test_a_rule_lets_a_stranger_in_or_not(rule, closed):
    assert refused(UFW.format(rule=rule)) is closed


def test_who_comes_from_anywhere_may_be_let_in_from_somewhere():
    text = UFW.format(rule="-A ufw-user-input -s 10.0.0.0/8 -j ACCEPT")
    assert not refused(text, Connection(80, incoming="eth0"))


@pytest.mark.parametrize(("uid", "closed"), [(33, True), (1000, False), (-1, False)])
def test_a_user_of_the_host_can_be_kept_from_the_loopback_interface(uid, closed):
    text = (
        "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -o lo -m owner --uid-owner 33 -j REJECT --reject-with icmp-port-unreachable\n"
    )
    assert refused(text, Connection(8001, ("output",), outgoing="lo", uid=uid)) is closed


def test_without_rules_everything_is_open():
    assert not refused("")
