# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports to open and close, given the rules that are there. The output is ufw 0.36's."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._ufw import FirewallPlan, Rule, parse, plan

ADDED = """\
Added user rules (see 'ufw status' for running firewall):
ufw allow 22/tcp
ufw limit 2222/tcp
ufw allow 8000:8010/tcp
ufw deny 81
ufw deny log 85/tcp
ufw allow from 10.0.0.0/8 to any port 82 proto tcp
ufw allow proto tcp from any to any port 86
ufw allow in on eth1 to any port 87 proto tcp
ufw allow 83,84/tcp comment 'a b'
ufw allow 443/tcp comment 'wsgi.stack'
ufw allow 53/udp
ufw allow from any to any port 54 proto udp
ufw allow 'Nginx Full'
ufw allow OpenSSH
ufw allow out 25/tcp
ufw route allow in on eth0 out on eth1 to any port 80
ufw allow from 10.0.0.1
"""


def test_parse():
    assert parse(ADDED) == [
        Rule("allow", ((22, 22),)),
        Rule("limit", ((2222, 2222),)),
        Rule("allow", ((8000, 8010),)),
        Rule("deny", ((81, 81),)),
        Rule("deny", ((85, 85),)),
        Rule("allow", ((82, 82),), anybody=False),
        Rule("allow", ((86, 86),)),
        Rule("allow", ((87, 87),), anybody=False),
        Rule("allow", ((83, 83), (84, 84)), comment="a b"),
        Rule("allow", ((443, 443),), comment="wsgi.stack"),
    ]


def test_no_rules():
    assert parse("Added user rules (see 'ufw status' for running firewall):\n(None)\n") == []


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param([443], FirewallPlan((), (), ()), id="ours already"),
        pytest.param([80, 443], FirewallPlan((80,), (), ()), id="one more"),
        pytest.param([80], FirewallPlan((80,), (443,), ()), id="another one"),
        pytest.param([], FirewallPlan((), (443,), ()), id="none"),
        pytest.param([443, 22, 2222, 8005, 84, 86], FirewallPlan((), (), ()), id="open already by rules of others"),
        pytest.param([443, 81, 85], FirewallPlan((), (), (81, 85)), id="denied by others"),
        pytest.param([443, 82, 87], FirewallPlan((), (), (82, 87)), id="restricted by others"),
        pytest.param([443, 53], FirewallPlan((53,), (), ()), id="another protocol"),
        pytest.param([443, 80, 80], FirewallPlan((80,), (), ()), id="given twice"),
    ],
)
def test_plan(ports, expected):
    assert plan(parse(ADDED), ports, "wsgi.stack") == expected


def test_the_first_rule_that_fits_decides():
    rules = [Rule("allow", ((80, 80),)), Rule("deny", ((80, 80),))]
    assert plan(rules, [80], "wsgi.stack") == FirewallPlan((), (), ())
    assert plan(rules[::-1], [80], "wsgi.stack") == FirewallPlan((), (), (80,))
