# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _acme
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


@pytest.mark.parametrize(
    ("authority", "serial", "identifier"),
    [
        # The example of RFC 9773, 4.1, whose serial number has a leading zero.
        ("69885B6B87464041E1B37B847BA0AE2CDE01C8D4", "8765432100", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyEA"),
        ("69885B6B87464041E1B37B847BA0AE2CDE01C8D4", "0765", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.B2U"),
        ("", "0765", ""),
        ("69885B", "", ""),
    ],
)
def test_a_certificate_has_a_name_for_its_server(authority, serial, identifier):
    assert _acme.identifier(Lineage("x", authority=authority, serial=serial)) == identifier


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"suggestedWindow": {"start": "2023-11-13T00:00:00Z", "end": "2023-11-14T00:00:00Z"}}, True),
        ({"suggestedWindow": {"start": "2023-11-13T00:00:00Z", "end": "2023-11-15T00:00:00.123Z"}}, False),
        ({"suggestedWindow": {"end": "soon"}}, False),
        ({"suggestedWindow": None}, False),
        ({}, False),
    ],
)
def test_a_server_says_when_a_certificate_is_to_be_replaced(said, expected):
    assert _acme.overdue(said, NOW) == expected


def test_what_cannot_be_asked_is_not_wanted_replaced():
    trust = _acme.context(None, [])
    found = Lineage("x", authority="69885B", serial="07")
    assert not _acme.wants_replaced(found, {}, trust, NOW)
    assert not _acme.wants_replaced(found, {"renewalInfo": "http://127.0.0.1:9/info"}, trust, NOW)


def test_a_server_that_cannot_be_reached_says_why():
    with pytest.raises(StackError, match="Connection refused; "):
        _acme.directory("http://127.0.0.1:9/dir", _acme.context(None, []))
