# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app may say of TLS."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _tls
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import fill
from ansible_collections.wsgi.stack.tests.apps import resolved

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
        ({"mode": "certbot"}, [], "tls.mode: certbot needs domains"),
        ({"mode": "files", "key": "a.key"}, [], "tls.certificate: missing"),
        ({"mode": "files", "certificate": "a.pem"}, [], "tls.key: missing"),
        ({"mode": "certbot", "certificate": "a.pem"}, ["a.test"], "tls.certificate: needs mode files, and mode is certbot"),
        ({"key": "a.key"}, [], "tls.key: needs mode files, and mode is none"),
        ({"mode": "self_signed", "on_host": True}, [], "tls.on_host: needs mode files"),
        ({**FILES, "key": "a.key", "on_host": True}, [], "tls.key: 'a.key' is not an absolute path"),
        ({"hsts": 60}, [], "tls.hsts: 60 needs TLS on port 443"),
        ({"mode": "self_signed", "hsts": 60, "redirect": False}, [], "tls.hsts: 60 needs TLS on port 443"),
        ({"mode": "self_signed", "hsts": 60, "port": 5000}, [], "tls.hsts: 60 needs TLS on port 443"),
    ],
)
def test_keys_that_cannot_go_together(said, domains, expected):
    if expected is None:
        _tls.check(tls(**said), domains)
        return
    with pytest.raises(InventoryError) as error:
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


@pytest.mark.parametrize(
    ("mode", "domain", "options", "refused"),
    [
        ("certbot", "*.a.test", [], True),
        ("certbot", "*.a.test", ["--rsa-key-size=4096"], True),
        ("certbot", "*.a.test", ["--dns-rfc2136"], False),
        ("certbot", "*.a.test", ["--manual"], False),
        ("certbot", "*.a.test", ["--rsa-key-size=4096", "-a", "dns-ovh"], False),
        ("certbot", "*.a.test", ["--standalone", "--http-01-port 5002"], True),
        ("certbot", "a.test", [], False),
        ("self_signed", "*.a.test", [], False),
    ],
)
def test_a_wildcard_needs_another_way_than_http(mode, domain, options, refused):
    app = resolved("a", domains=[domain], tls={"mode": mode})
    if not refused:
        _tls.check_wildcards(app, options)
        return
    with pytest.raises(InventoryError, match=r"^app a: tls\.mode: certbot is set for the domain \*\.a\.test"):
        _tls.check_wildcards(app, options)


def test_options_that_no_shell_would_read_are_refused():
    app = resolved("a", domains=["a.test"], tls={"mode": "certbot"})
    with pytest.raises(InventoryError, match=r"^certbot_options: they cannot be read: No closing quotation"):
        _tls.check_wildcards(app, ["--manual-auth-hook 'x"])
