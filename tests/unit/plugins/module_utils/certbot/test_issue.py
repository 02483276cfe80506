# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _issue
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._plan import CONFIGURE, ISSUE, CertificateStep, WantedCertificate
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

SERVER = "http://127.0.0.1:9/dir"
SHOP = WantedCertificate("shop", ("a.test",), ("shop",))
STEP = CertificateStep(ISSUE, "shop")


@pytest.fixture
def settings(tmp_path):
    return CertbotSettings(SERVER, webroot=str(tmp_path / "acme"), check_names=False, directory=str(tmp_path / "letsencrypt"))


def test_a_wildcard_needs_another_authenticator(settings):
    wildcard = WantedCertificate("blog", ("blog.test", "*.blog.test"), ("blog",))
    failed = _issue.unreachable_names([SHOP, wildcard], settings)
    assert list(failed) == [wildcard]
    assert failed[wildcard].cause.startswith("*.blog.test: a CA validates wildcard names only by DNS")


def test_nothing_is_issued_without_accepted_terms(settings, monkeypatch):
    found = {"newOrder": "x", "meta": {"termsOfService": "https://ca.test/terms"}}
    monkeypatch.setattr(_issue._acme, "directory", lambda _server, _trust: found)
    assert "(https://ca.test/terms); read them and set agree_tos" in _issue.refusal(settings).cause
    assert _issue.refusal(CertbotSettings(SERVER, agree_tos=True)) is None


def test_nothing_is_issued_by_a_server_that_is_not_available(settings):
    assert "Connection refused" in _issue.refusal(settings).cause


@pytest.mark.parametrize(
    ("code", "found", "expected"),
    [
        (1, Lineage("shop", cause="cert.pem is missing"), "certbot says: no luck"),
        (0, Lineage("shop", cause="cert.pem is missing"), "the certificate cannot be used: cert.pem is missing"),
        (0, Lineage("shop", frozenset({"b.test"})), "the certificate cannot be used: it is valid for b.test"),
    ],
)
def test_what_was_put_aside_comes_back_if_there_is_no_new_certificate(settings, tmp_path, monkeypatch, code, found, expected):
    renewal = tmp_path / "letsencrypt/renewal/shop.conf"
    renewal.parent.mkdir(parents=True)
    renewal.write_text("old")
    monkeypatch.setattr(_issue._command, "obtain", lambda argv, _environment: (Completed(tuple(argv), code, "no luck\n"), ""))
    monkeypatch.setattr(_issue._lineage, "read_one", lambda _name, _directory: found)
    with pytest.raises(StackError, match=expected):
        _issue.issue(SHOP, STEP, Lineage("shop", cause="privkey.pem is missing"), settings)
    assert renewal.read_text() == "old"


def test_the_renewal_of_a_certificate_is_changed(settings, tmp_path):
    renewal = tmp_path / "letsencrypt/renewal/shop.conf"
    renewal.parent.mkdir(parents=True)
    renewal.write_text("[renewalparams]\nauthenticator = nginx\ninstaller = nginx\n")
    renewal.chmod(0o640)
    _issue.configure(CertificateStep(CONFIGURE, "shop"), settings)
    assert renewal.read_text() == f"[renewalparams]\nauthenticator = webroot\nwebroot_path = {settings.webroot},\n"
    assert renewal.stat().st_mode & 0o777 == 0o640
