# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _doctor_certificates
from ansible_collections.wsgi.stack.plugins.module_utils._doctor_certificates import DAY, Certificate, Renewal
from ansible_collections.wsgi.stack.plugins.module_utils._nginx_dump import Listen, Server

NOW = 1_700_000_000.0
PATH = "/etc/ssl/shop.pem"
LINEAGE = "/etc/letsencrypt/live/shop/fullchain.pem"


def server(*names):
    return Server(names or ("shop.example.com",), (Listen("*:443", True),), file="/etc/nginx/sites-enabled/shop", line=3)


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
    findings = _doctor_certificates.judge(server(*names), [found], shown or {}, loaded, NOW)
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
        ({"names": (), "ends": 0.0, "trouble": "cannot be read"}, [("warning", "certificate_missing")]),
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


@pytest.mark.parametrize("options", [{"wrong_key": True}, {"trouble": "cannot be read"}])
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


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("shop.example.com", ["shop.example.com"], True),
        ("Shop.Example.com", ["shop.example.COM"], True),
        ("shop.example.com", ["*.example.com"], True),
        ("a.shop.example.com", ["*.example.com"], False),
        ("example.com", ["*.example.com"], False),
        ("*.example.com", ["*.example.com"], True),
        ("*.shop.example.com", ["*.example.com"], False),
    ],
)
def test_a_star_stands_for_one_label(name, names, expected):
    assert _doctor_certificates.covered(name, names) == expected


def test_only_names_that_a_certificate_can_have_are_wanted():
    names = ["_", "", "localhost", "10.0.0.1", "~^www", "*.example.com", ".example.com", "shop.example.com", "a_b.example.com"]
    assert _doctor_certificates.wanted(names) == ["*.example.com", "example.com", "shop.example.com"]


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
    found = _doctor_certificates.judge_renewal([certificate(path=LINEAGE), certificate()], renewal)
    assert [finding.code for finding in found] == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("authenticator = webroot", False),
        ("authenticator = nginx\ninstaller = nginx", True),
        ("authenticator = webroot\nrenew_hook = systemctl reload nginx", True),
        ("renew_hook = None", False),
        ("[[webroot_map]]\nshop.example.com = /var/www", False),
    ],
)
def test_what_certbot_runs_after_a_renewal_is_found(lines, expected):
    assert _doctor_certificates.reloads(f"version = 2.1.0\n[renewalparams]\naccount = a\n{lines}\n") == expected


@pytest.fixture
def files(tmp_path):
    def make(name, key="key.pem"):
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "10"]
        words += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:www.{name}"]
        subprocess.run([*words, "-keyout", tmp_path / key, "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
        return str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")

    return make


def test_a_file_is_read(files):
    found = _doctor_certificates.read(*files("shop.example.com"))
    assert found.names == ("shop.example.com", "www.shop.example.com")
    assert found.self_signed
    assert round((found.ends - found.begins) / DAY) == 10
    assert not found.wrong_key
    assert not found.trouble


def test_a_key_of_another_certificate_is_noticed(files):
    files("shop.example.com")
    assert _doctor_certificates.read(*files("shop.example.com", key="other.pem")).wrong_key


def test_a_file_that_is_none_is_told(tmp_path, files):
    (tmp_path / "text.pem").write_text("hello")
    for path in ("text.pem", "missing.pem"):
        assert "cannot be read" in _doctor_certificates.read(str(tmp_path / path), "/nowhere").trouble
    path, key = files("shop.example.com")
    assert "cannot be read" in _doctor_certificates.read(path, f"{key}.gone").trouble


def test_what_openssl_shows_is_read():
    shown = """notBefore=Nov 20 10:00:00 2026 GMT
notAfter=Feb 18 10:00:00 2027 GMT
subject=CN = shop.example.com
issuer=C = US, O = Let's Encrypt, CN = R10
X509v3 Subject Alternative Name:
    DNS:shop.example.com, DNS:*.shop.example.com, IP Address:192.0.2.7
"""
    found = _doctor_certificates.parse(PATH, shown)
    assert found.names == ("shop.example.com", "*.shop.example.com", "192.0.2.7")
    assert (found.begins, found.ends - found.begins, found.self_signed) == (1795168800.0, 90 * DAY, False)


def test_a_certificate_without_names_is_for_none():
    shown = """notBefore=Nov 20 10:00:00 2026 GMT
notAfter=Feb 18 10:00:00 2027 GMT
subject=CN=shop
issuer=CN=shop
No extensions in certificate
"""
    found = _doctor_certificates.parse(PATH, shown)
    assert (found.names, found.self_signed) == ((), True)
