# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _expansion

SCRIPT = """#!/bin/bash
NAME="shop"
DIR=/webapps/$NAME
export SOCKET=$DIR/run/gunicorn.sock
exec $DIR/bin/gunicorn --bind=unix:${SOCKET} --user=${WHO:-nobody} $UNKNOWN
"""


def test_the_variables_of_a_script_are_replaced():
    filled = _expansion.variables(SCRIPT, _expansion.assignments(SCRIPT))
    assert "exec /webapps/shop/bin/gunicorn --bind=unix:/webapps/shop/run/gunicorn.sock --user=nobody $UNKNOWN" in filled


def test_variables_that_stand_for_many_others_end():
    script = "A=$B$B$B$B\nB=$A$A$A$A\n" + "$A" * 20000
    assert len(_expansion.variables(script, _expansion.assignments(script))) <= _expansion.LONGEST


@pytest.mark.parametrize(
    ("unit", "filled"),
    [
        ("web@shop.service", "/run/shop web web@shop.service 5%"),
        ("web@.service", "/run/%i web web@.service 5%"),
        ("web.service", "/run/ web web.service 5%"),
    ],
)
def test_specifiers_of_a_unit(unit, filled):
    assert _expansion.specifiers("%t/%i %p %n 5%%", unit) == filled


def test_expressions_of_supervisor():
    text = "%(here)s/%(program_name)s_%(process_num)02d of %(group_name)s, 5%%, %(ENV_HOME)s"
    assert _expansion.supervisor(text, "web", "shop", "/etc") == "/etc/web_00 of shop, 5%, %(ENV_HOME)s"


def test_placeholders_of_uwsgi():
    text = "base = /srv/%n\nsocket = %(base)/run/%n.sock\nlog = %dlogs\n"
    assert _expansion.uwsgi(text, "/etc/uwsgi/shop.ini") == (
        "base = /srv/shop\nsocket = /srv/shop/run/shop.sock\nlog = /etc/uwsgi/logs\n"
    )
