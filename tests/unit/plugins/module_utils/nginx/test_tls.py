# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _tls


@pytest.mark.parametrize(
    ("nginx", "expected"),
    [("1.25.1", True), ("1.26", True), ("1.25.0", False), ("1.18.0-6.1+deb11u3", False), ("", True), (None, True)],
)
def test_an_unknown_version_counts_as_new(nginx, expected):
    assert _tls.has(_tls.HTTP2_DIRECTIVE, nginx) == expected


def test_modern_is_tls_1_3_alone():
    settings = dict(_tls.settings("modern", "3.5.1"))
    assert settings["ssl_protocols"] == "TLSv1.3"
    assert "ssl_ciphers" not in settings


def test_intermediate_has_forward_secrecy_with_every_cipher():
    settings = dict(_tls.settings("intermediate"))
    assert settings["ssl_protocols"] == "TLSv1.2 TLSv1.3"
    assert all(cipher.startswith("ECDHE-") for cipher in settings["ssl_ciphers"].split(":"))
