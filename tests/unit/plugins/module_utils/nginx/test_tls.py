# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as the installed nginx and OpenSSL can do it."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _tls

REFUSAL = "ssl_reject_handshake on;"
OWN = "ssl_certificate /etc/ssl/wsgi/a/live/fullchain.pem;\nssl_certificate_key /etc/ssl/wsgi/a/live/privkey.pem;"


@pytest.mark.parametrize(
    ("versions", "parameter", "line", "curves", "refusal"),
    [
        pytest.param({"nginx": "1.18.0", "openssl": "1.1.1"}, " http2", "", "", OWN, id="Debian 11"),
        pytest.param({"nginx": "1.22.1", "openssl": "3.0.17"}, " http2", "", "", REFUSAL, id="Debian 12"),
        pytest.param({"nginx": "1.26.3", "openssl": "3.5.1"}, "", "http2 on;", "X25519MLKEM768:", REFUSAL, id="Debian 13"),
        pytest.param({"nginx": "1.25.1"}, "", "http2 on;", "", REFUSAL, id="OpenSSL unknown"),
        pytest.param({}, "", "http2 on;", "", REFUSAL, id="nothing known"),
    ],
)
def test_what_the_installed_nginx_understands(versions, parameter, line, curves, refusal):
    found = _tls.directives(["a"], [], versions)
    assert found[_tls.HTTP2_PARAMETER] == parameter
    assert found[_tls.HTTP2_LINE] == line
    assert found[_tls.MORE_CURVES] == curves
    assert found[_tls.refusal_line("a")] == refusal


def test_stapling_where_the_certificate_has_somebody_who_answers_for_it():
    found = _tls.directives(["a", "b"], ["a"], {})
    assert [found[_tls.stapling_line(site)] for site in "ab"] == ["ssl_stapling on;", ""]


def test_modern_is_tls_1_3_alone():
    lines = _tls.settings("modern")
    assert "ssl_protocols TLSv1.3;" in lines
    assert not any(line.startswith("ssl_ciphers") for line in lines)


def test_intermediate_has_forward_secrecy_with_every_cipher():
    lines = _tls.settings("intermediate")
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in lines
    (ciphers,) = [line.rstrip(";").split()[1] for line in lines if line.startswith("ssl_ciphers")]
    assert all(cipher.startswith("ECDHE-") for cipher in ciphers.split(":"))
