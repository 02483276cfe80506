# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _certificates
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._certificates import Renewal
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Listen, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import DAY, Certificate

NOW = 1_700_000_000.0
PATH = "/etc/ssl/shop.pem"
LINEAGE = "/etc/letsencrypt/live/shop/fullchain.pem"


def server(*names):
    return ServerBlock(names or ("shop.example.com",), (Listen("*:443", True),), file="/etc/nginx/sites-enabled/shop", line=3)


def certificate(**options):
    fitting = {
        "path": PATH,
        "key": "/etc/ssl/shop.key",
        "names": ("shop.example.com",),
        "begins": NOW - 30 * DAY,
        "ends": NOW + 60 * DAY,
        "fingerprint": b"der",
    }
    return Certificate(**{**fitting, **options})


def judged(found, names=(), shown=None, loaded=True):
    findings = _certificates.judge(server(*names), [found], shown or {}, loaded, NOW)
    return [(finding.severity, finding.code) for finding in findings]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"ends": NOW - 1}, [("broken", "certificate_expired")]),
        ({"ends": NOW + 5 * DAY}, [("warning", "certificate_expires")]),
        ({"begins": NOW - 1 * DAY, "ends": NOW + 5 * DAY}, []),  # one of six days
        ({"begins": NOW + DAY}, [("broken", "certificate_not_yet_valid")]),
        ({"wrong_key": True}, [("warning", "certificate_key")]),
        ({"names": (), "ends": 0.0, "cause": "cannot be read"}, [("warning", "certificate_missing")]),
        ({"names": ("other.example.com",)}, [("broken", "certificate_names")]),
        ({"names": ("other.example.com",), "self_signed": True}, [("note", "certificate_names")]),
        ({"names": ("*.example.com",)}, []),
    ],
)
def test_a_certificate_is_judged(options, expected):
    assert judged(certificate(**options)) == expected


@pytest.mark.parametrize(
    ("days", "path", "origin", "expected"),
    [
        (15, PATH, "", []),
        (15, LINEAGE, "", ["certificate_expires"]),
        (15, "/etc/ssl/wsgi/shop/live/fullchain.pem", "/etc/letsencrypt/archive/shop/fullchain2.pem", ["certificate_expires"]),
        (25, LINEAGE, "", []),
    ],
)
def test_one_of_certbots_should_have_been_renewed_earlier(days, path, origin, expected):
    found = certificate(path=path, origin=origin, ends=NOW + days * DAY, begins=NOW - (90 - days) * DAY)
    assert [code for _severity, code in judged(found)] == expected


def test_a_link_leads_to_one_of_certbots():
    assert certificate(path="/etc/ssl/wsgi/shop/live/fullchain.pem").lineage == ""
    assert certificate(path="/etc/nginx/shop.pem", origin="/etc/letsencrypt/archive/shop/fullchain2.pem").lineage == "shop"


def test_a_name_too_many_is_not_the_end_of_the_site():
    assert judged(certificate(), ("shop.example.com", "www.shop.example.com")) == [("warning", "certificate_names")]


@pytest.mark.parametrize("options", [{"wrong_key": True}, {"cause": "cannot be read"}])
def test_what_nginx_has_not_loaded_breaks_it(options):
    assert judged(certificate(**options), loaded=False)[0][0] == "broken"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [(b"der", []), (b"older", [("warning", "certificate_not_loaded")]), (b"", [])],
)
def test_what_is_served_is_compared_with_the_file(shown, expected):
    assert judged(certificate(), shown={"shop.example.com": shown}) == expected


def test_a_key_with_which_nothing_is_served_breaks_the_site():
    assert judged(certificate(wrong_key=True), shown={"shop.example.com": b""}) == [("broken", "certificate_key")]


def test_only_names_that_a_certificate_can_have_are_wanted():
    names = ["_", "", "localhost", "10.0.0.1", "~^www", "*.example.com", ".example.com", "shop.example.com", "a_b.example.com"]
    assert _certificates.wanted(names) == ["*.example.com", "example.com", "shop.example.com"]


@pytest.mark.parametrize(
    ("renewal", "expected"),
    [
        (Renewal("certbot.timer", "", frozenset({"shop"}), frozenset({"shop"})), []),
        (Renewal("", "certbot.timer is inactive", frozenset({"shop"}), frozenset({"shop"})), ["renewal_timer"]),
        (Renewal("certbot.timer", "", frozenset({"shop"})), ["renewal_hook"]),
        (Renewal("certbot.timer"), ["renewal_configuration"]),
    ],
)
def test_a_renewal_has_to_be_started_and_to_reach_nginx(renewal, expected):
    found = _certificates.judge_renewal([certificate(path=LINEAGE), certificate()], renewal)
    assert [finding.code for finding in found] == expected
