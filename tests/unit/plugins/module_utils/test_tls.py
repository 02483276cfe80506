# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app may say of TLS, and which domains share a certificate."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _tls
from ansible_collections.wsgi.stack.plugins.module_utils._values import AppError, fill

FILES = {"mode": "files", "certificate": "/a.pem", "key": "/a.key"}


def tls(**said):
    return fill(said, _tls.TLS)


@pytest.mark.parametrize(
    ("said", "domains", "expected"),
    [
        ({}, [], None),
        ({"mode": "self_signed"}, [], None),
        ({"mode": "certbot"}, ["a.test"], None),
        (FILES, [], None),
        ({**FILES, "on_host": True}, ["a.test"], None),
        ({"mode": "certbot", "hsts": 60}, ["a.test"], None),
        ({"mode": "certbot"}, [], "tls.mode: found certbot without domains"),
        ({"mode": "files", "key": "a.key"}, [], "tls.certificate: not given"),
        ({"mode": "files", "certificate": "a.pem"}, [], "tls.key: not given"),
        ({"mode": "certbot", "certificate": "a.pem"}, ["a.test"], "tls.certificate: found with mode certbot"),
        ({"key": "a.key"}, [], "tls.key: found with mode none"),
        ({"mode": "self_signed", "on_host": True}, [], "tls.on_host: found with mode self_signed"),
        ({**FILES, "key": "a.key", "on_host": True}, [], "tls.key: found 'a.key', wanted an absolute path"),
        ({"hsts": 60}, [], "tls.hsts: found 60"),
        ({"mode": "self_signed", "hsts": 60, "redirect": False}, [], "tls.hsts: found 60"),
        ({"mode": "self_signed", "hsts": 60, "port": 5000}, [], "tls.hsts: found 60"),
    ],
)
def test_keys_that_cannot_go_together(said, domains, expected):
    if expected is None:
        _tls.check(tls(**said), domains)
        return
    with pytest.raises(AppError) as error:
        _tls.check(tls(**said), domains)
    assert str(error.value).startswith(expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"certificate": "tls/a.pem", "key": "../a.key"}, ("/inventory/tls/a.pem", "/a.key")),
        ({"certificate": "/etc/a.pem", "key": "~/a.key"}, ("/etc/a.pem", "/home/me/a.key")),
        ({"certificate": "/etc/./a.pem", "key": "/etc/a.key", "on_host": True}, ("/etc/./a.pem", "/etc/a.key")),
    ],
)
def test_where_files_lie(said, expected, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    placed = _tls.place(tls(mode="files", **said), "/inventory")
    assert (placed["certificate"], placed["key"]) == expected


def test_nothing_to_place():
    assert _tls.place(tls()) == tls()


def app(name, domains=(), **said):
    return {"name": name, "domains": list(domains), "tls": tls(**said)}


SECURE = {"mode": "self_signed"}


@pytest.mark.parametrize(
    ("apps", "expected"),
    [
        pytest.param([], [], id="no app"),
        pytest.param([app("a", ["a.test"])], [], id="no TLS"),
        pytest.param([app("a", ["a.test", "b.test"], **SECURE)], [("a", ["a.test", "b.test"], ["a"])], id="two names"),
        pytest.param([app("a", **SECURE)], [("a", [], ["a"])], id="every name"),
        pytest.param(
            [app("a", ["a.test", "x.test"], **SECURE), app("b", ["x.test", "b.test"], **SECURE)],
            [("a", ["a.test", "x.test"], ["a", "b"]), ("b", ["b.test"], ["b"])],
            id="a name in common",
        ),
        pytest.param(
            [app("a", ["x.test"], **SECURE), app("b", ["x.test"], **SECURE)], [("a", ["x.test"], ["a", "b"])], id="all in common"
        ),
        pytest.param([app("a", ["a.test"]), app("b", ["b.test"], **SECURE)], [("b", ["b.test"], ["b"])], id="one of two"),
    ],
)
def test_sites(apps, expected):
    assert [(site["name"], site["domains"], site["apps"]) for site in _tls.sites(apps)] == expected


def test_nginx_names_the_same_paths_whatever_is_presented():
    assert _tls.files("shop") == ("/etc/ssl/wsgi/shop/live/fullchain.pem", "/etc/ssl/wsgi/shop/live/privkey.pem")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.22.1", (1, 22, 1)), ("3.5", (3, 5)), ("1.18.0-6.1+deb11u3", (1, 18, 0)), ("", (999,)), (None, (999,))],
)
def test_version(text, expected):
    assert _tls.version(text) == expected


def test_modern_is_tls_1_3_alone():
    settings = dict(_tls.settings("modern", "3.5.1"))
    assert settings["ssl_protocols"] == "TLSv1.3"
    assert "ssl_ciphers" not in settings


def test_intermediate_has_forward_secrecy_with_every_cipher():
    settings = dict(_tls.settings("intermediate"))
    assert settings["ssl_protocols"] == "TLSv1.2 TLSv1.3"
    assert all(cipher.startswith("ECDHE-") for cipher in settings["ssl_ciphers"].split(":"))
