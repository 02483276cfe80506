# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.tls import _certificate
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import DAY

PATH = "/etc/ssl/shop.pem"


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
    assert _certificate.covered(name, names) == expected


@pytest.fixture
def files(tmp_path):
    def make(name, key="key.pem"):
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "10"]
        words += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:www.{name}"]
        subprocess.run([*words, "-keyout", tmp_path / key, "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
        return str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")

    return make


def test_a_file_is_read(files):
    found = _certificate.read(*files("shop.example.com"))
    assert found.names == ("shop.example.com", "www.shop.example.com")
    assert found.self_signed
    assert round((found.ends - found.begins) / DAY) == 10
    assert not found.wrong_key
    assert not found.cause


def test_a_key_of_another_certificate_is_noticed(files):
    files("shop.example.com")
    assert _certificate.read(*files("shop.example.com", key="other.pem")).wrong_key


def test_a_file_that_is_none_is_told(tmp_path, files):
    (tmp_path / "text.pem").write_text("hello")
    for path in ("text.pem", "missing.pem"):
        assert "cannot be read" in _certificate.read(str(tmp_path / path), "/nowhere").cause
    path, key = files("shop.example.com")
    assert "cannot be read" in _certificate.read(path, f"{key}.gone").cause


def test_what_openssl_shows_is_read():
    shown = """notBefore=Nov 20 10:00:00 2026 GMT
notAfter=Feb 18 10:00:00 2027 GMT
subject=CN = shop.example.com
issuer=C = US, O = Let's Encrypt, CN = R10
X509v3 Subject Alternative Name:
    DNS:shop.example.com, DNS:*.shop.example.com, IP Address:192.0.2.7
"""
    found = _certificate.parse(PATH, shown)
    assert found.names == ("shop.example.com", "*.shop.example.com", "192.0.2.7")
    assert (found.begins, found.ends - found.begins, found.self_signed) == (1795168800.0, 90 * DAY, False)


def test_a_certificate_without_names_is_for_none():
    shown = """notBefore=Nov 20 10:00:00 2026 GMT
notAfter=Feb 18 10:00:00 2027 GMT
subject=CN=shop
issuer=CN=shop
No extensions in certificate
"""
    found = _certificate.parse(PATH, shown)
    assert (found.names, found.self_signed) == ((), True)
