# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _plan
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._plan import (
    CONFIGURE,
    ISSUE,
    KEEP,
    CertificateStep,
    WantedCertificate,
)
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import DAY

NOW = 1_700_000_000.0
SERVER = "https://ca.test/dir"
STAGING = "https://staging.ca.test/dir"
WEBROOT = "/var/lib/wsgi/acme"
WANTED = WantedCertificate("shop", ("a.test", "b.test"), ("shop",))


def lineage(**differing):
    fitting = {
        "name": "shop",
        "names": frozenset({"b.test", "a.test"}),
        "begins": NOW - 30 * DAY,
        "ends": NOW + 60 * DAY,
        "key_type": "ecdsa",
        "server": SERVER,
        "authenticator": "webroot",
        "webroots": frozenset({WEBROOT}),
    }
    return Lineage(**{**fitting, **differing})


def settings(**differing):
    return CertbotSettings(**{"server": SERVER, **differing})


@pytest.mark.parametrize(
    ("found", "wanted", "action", "reason"),
    [
        (lineage(), {}, KEEP, ""),
        (None, {}, ISSUE, "there is none"),
        (Lineage("shop", cause="cert.pem is missing"), {}, ISSUE, "the one that exists cannot be used: cert.pem is missing"),
        (lineage(names=frozenset({"a.test"})), {}, ISSUE, "it is not valid for b.test yet"),
        (lineage(names=frozenset({"a.test", "b.test", "c.test"})), {}, ISSUE, "it is still valid for c.test"),
        (
            lineage(names=frozenset({"a.test", "c.test"})),
            {},
            ISSUE,
            "it is not valid for b.test yet; it is still valid for c.test",
        ),
        (lineage(server=STAGING), {}, ISSUE, f"it is from {STAGING}"),
        (lineage(key_type="rsa"), {}, KEEP, ""),
        (lineage(key_type="rsa"), {"key_type": "ecdsa"}, ISSUE, "its key is rsa"),
        (lineage(key_type="rsa"), {"key_type": "rsa"}, KEEP, ""),
        (lineage(ends=NOW - DAY), {}, ISSUE, "it expired on 2023-11-13"),
        (lineage(ends=NOW + 19.5 * DAY, begins=NOW - 70.5 * DAY), {}, ISSUE, "it expires on 2023-12-04 and has not been renewed"),
        (lineage(ends=NOW + 21 * DAY, begins=NOW - 69 * DAY), {}, KEEP, ""),
        (lineage(ends=NOW + 4 * DAY, begins=NOW - 3 * DAY), {}, KEEP, ""),  # one of a week
        (
            lineage(ends=NOW + 1.5 * DAY, begins=NOW - 5.5 * DAY),
            {},
            ISSUE,
            "it expires on 2023-11-16 and has not been renewed",
        ),
        (lineage(), {"minimum_days": 61}, ISSUE, "it expires on 2024-01-13 and has not been renewed"),
        (lineage(ends=NOW + DAY), {"minimum_days": 0}, KEEP, ""),
        (lineage(authenticator="nginx", installer="nginx"), {}, CONFIGURE, None),
        (lineage(authenticator="standalone"), {}, CONFIGURE, "its names are validated by standalone, not by webroot"),
        (lineage(webroots=frozenset({"/var/www"})), {}, CONFIGURE, "its challenges are written to /var/www"),
        (lineage(installer="nginx"), {}, CONFIGURE, "its renewal changes the configuration of nginx"),
        (lineage(), {"options": ("--dns-x",)}, ISSUE, "its names are validated by webroot, not by dns-x"),
        (lineage(authenticator="dns-x", webroots=frozenset()), {"options": ("--dns-x",)}, KEEP, ""),
        (lineage(authenticator="dns-x", installer="nginx"), {"options": ("--dns-x",)}, CONFIGURE, None),
        (lineage(authenticator="nginx", installer="nginx"), {"options": ("--nginx",)}, KEEP, ""),
    ],
)
def test_what_there_is_decides(found, wanted, action, reason):
    step = _plan.plan(WANTED, "shop", found, settings(**wanted), NOW)
    assert (step.action, step.lineage) == (action, "shop")
    assert reason in (None, step.reason)


def test_what_its_ca_wants_replaced_is_replaced():
    step = _plan.plan(WANTED, "shop", lineage(), settings(), NOW, overdue=True)
    assert step == CertificateStep(ISSUE, "shop", "its CA wants it replaced, as after a revocation")


FOREIGN = {
    "a.test": lineage(name="a.test"),
    "less": lineage(name="less", names=frozenset({"a.test"})),
    "more": lineage(name="more", names=frozenset({"a.test", "b.test", "mail.test"})),
    "left": Lineage("left", cause="left.conf is missing"),
}


@pytest.mark.parametrize(
    ("there", "claimed", "presented", "expected"),
    [
        ([], [], "", "shop"),
        (["a.test"], [], "", "a.test"),
        (["a.test", "less"], [], "", "a.test"),
        (["less", "more", "left"], [], "", "less"),
        (["more", "left"], [], "", "shop"),
        (["a.test"], ["a.test"], "", "shop"),  # another certificate has that name
        (["more"], [], "/etc/letsencrypt/live/more", "more"),  # it was taken over, and names have gone since
        (["more"], ["more"], "/etc/letsencrypt/live/more", "shop"),
        (["more"], [], "/etc/ssl/wsgi/shop/self-signed-0123", "shop"),
        (["more"], [], "/etc/letsencrypt/live/gone", "shop"),
    ],
)
def test_what_was_made_by_hand_is_taken_over_if_it_is_for_nothing_else(there, claimed, presented, expected):
    found = {name: FOREIGN[name] for name in there}
    assert _plan.lineage_of(WANTED, found, ["shop", *claimed], presented, "/etc/letsencrypt") == expected


def test_ones_own_comes_before_another_of_the_same_names():
    found = {"shop": lineage(names=frozenset({"c.test"})), "a.test": FOREIGN["a.test"]}
    assert _plan.lineage_of(WANTED, found, ["shop"], "", "/etc/letsencrypt") == "shop"


@pytest.mark.parametrize(
    ("certificates", "wanted", "words"),
    [
        ([WANTED, WANTED], {}, "the name shop is used twice"),
        ([WantedCertificate("shop", (), ("shop",))], {}, "shop has no domains"),
        ([WANTED], {"options": ("--cert-name other",)}, "options: --cert-name is set"),
    ],
)
def test_what_cannot_be_had_is_refused(certificates, wanted, words):
    with pytest.raises(StackError, match=words):
        _plan.check(certificates, settings(**wanted))


def test_wishes_follow_from_the_sites_of_apps():
    tls = {"mode": "certbot", "certificate": None, "key": None, "on_host": False, "port": 443, "profile": "intermediate"}
    apps = [
        {"name": "shop", "domains": ["a.test", "b.test"], "tls": tls},
        {"name": "cart", "domains": ["a.test"], "tls": tls},
        {"name": "plain", "domains": ["c.test"], "tls": {**tls, "mode": "none"}},
        {"name": "own", "domains": ["d.test"], "tls": {**tls, "mode": "self_signed"}},
    ]
    assert _plan.wanted_certificates(apps, None) == [WantedCertificate("shop", ("a.test", "b.test"), ("shop", "cart"))]


def test_wishes_are_told_as_they_are():
    told = [{"name": "x", "domains": ["A.test", "a.test", "b.test"], "apps": None}]
    assert _plan.wanted_certificates(None, told) == [WantedCertificate("x", ("a.test", "b.test"), ("x",))]


@pytest.mark.parametrize(
    ("step", "found", "expected"),
    [
        (CertificateStep(KEEP, "shop"), lineage(), _plan.described(WANTED, lineage())),
        (
            CertificateStep(ISSUE, "shop"),
            None,
            f"shop: a.test, b.test\n  from {SERVER}\n  key as certbot chooses\n  until the CA's choice\n  renewed by webroot\n",
        ),
        (
            CertificateStep(CONFIGURE, "shop"),
            lineage(authenticator="nginx", installer="nginx"),
            f"shop: a.test, b.test\n  from {SERVER}\n  key ecdsa\n  until 2024-01-13\n  renewed by webroot\n",
        ),
    ],
)
def test_check_mode_foresees_what_will_be_there(step, found, expected):
    assert _plan.described(WANTED, _plan.expected(WANTED, step, found, settings())) == expected
