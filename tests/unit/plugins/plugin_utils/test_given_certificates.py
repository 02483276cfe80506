# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys on the controller, looked at before a host is touched."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.plugin_utils._given_certificates import check
from ansible_collections.wsgi.stack.tests.apps import resolved
from ansible_collections.wsgi.stack.tests.certificates import Pair, pair

NOW = datetime.datetime.now(datetime.timezone.utc)
GOOD, OTHER = pair(["a.test", "*.a.test"]), pair(["b.test"])
ENCRYPTED = "$ANSIBLE_VAULT;1.1;AES256\n3061\n"


def app(paths, domains=("a.test", "www.a.test"), **rest):
    return resolved(domains=list(domains), tls={"mode": "files", **paths, **rest})


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(GOOD, id="the two"),
        pytest.param(Pair(GOOD.chain + OTHER.chain, GOOD.key), id="with the CA's"),
        pytest.param(Pair(f"subject=a.test\n{GOOD.chain}", GOOD.key), id="with words before it"),
        pytest.param(Pair(GOOD.chain, ENCRYPTED), id="an encrypted key"),
        pytest.param(Pair(ENCRYPTED, ENCRYPTED), id="both encrypted"),
    ],
)
def test_what_does(tmp_path, files):
    check(app(files.write(tmp_path)), NOW)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (pair(["a.test", "*.a.test"], -1), "app shop: tls.certificate: {0} expired on 20"),
        (OTHER, "app shop: tls.certificate: {0} is for b.test and not for a.test; use one for all domains."),
        (pair(["a.test"]), "app shop: tls.certificate: {0} is for a.test and not for www.a.test; use"),
        (pair([]), "app shop: tls.certificate: {0} is for no name and not for a.test; use"),
        (Pair(GOOD.chain, OTHER.key), "app shop: tls.key: {1} belongs to another certificate than {0}; use the two that"),
        (Pair(GOOD.key, GOOD.chain), "app shop: tls.certificate: {0} is not a certificate in PEM form; use"),
        (Pair(GOOD.chain, GOOD.chain), "app shop: tls.key: {1} is not a private key in PEM form; use"),
        (pair(["a.test", "*.a.test"], passphrase="secret"), "app shop: tls.key: {1} has a passphrase; use a key without"),
    ],
)
def test_what_does_not(tmp_path, files, expected):
    paths = files.write(tmp_path)
    with pytest.raises(InventoryError) as error:
        check(app(paths), NOW)
    assert str(error.value).startswith(expected.format(paths["certificate"], paths["key"]))


def test_a_file_that_is_not_there():
    with pytest.raises(InventoryError, match=r"^app shop: tls\.certificate: /nowhere\.pem cannot be read here"):
        check(app({"certificate": "/nowhere.pem", "key": "/nowhere.key"}), NOW)


def test_what_is_not_on_the_controller_is_not_looked_for():
    check(app({"certificate": "/nowhere.pem", "key": "/nowhere.key"}, on_host=True), NOW)
    check(resolved(), NOW)
