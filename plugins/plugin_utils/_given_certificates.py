# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Checks certificates and keys on the controller before a host is touched."""

from __future__ import annotations

import datetime
from typing import Literal

try:  # ansible-core depends on it
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import covered

VAULT = b"$ANSIBLE_VAULT;"
"""The first bytes of a file encrypted by ansible-vault, whose content is checked on the host, before nginx is touched."""

BEGIN = b"-----BEGIN CERTIFICATE-----"

Key = Literal["certificate", "key"]
"""A key of ``tls`` that names a file."""


def check(app: App, now: datetime.datetime) -> None:
    """Refuse a certificate or key that nginx could not use for an app's domains.

    :param app: a resolved app; without cryptography on the controller, nothing is checked
    :param now: with a time zone
    :raises InventoryError: the first mistake found
    """
    tls = app["tls"]
    if tls["mode"] != "files" or tls["on_host"] or not HAS_CRYPTOGRAPHY:
        return
    certificate_text, key_text = _read(app, "certificate"), _read(app, "key")
    if certificate_text.startswith(VAULT):
        return
    certificate = _certificate(app, certificate_text)
    ends = _ends(certificate)
    if ends <= now:
        raise _wrong(app, "certificate", f"expired on {ends:%Y-%m-%d}", "renew it")
    names = _names(certificate)
    missing = [domain for domain in app["domains"] if not covered(domain, names)]
    if missing:
        raise _wrong(
            app, "certificate", f"is for {', '.join(names) or 'no name'} and not for {missing[0]}", "use one for all domains"
        )
    if not key_text.startswith(VAULT):
        _check_key(app, key_text, certificate)


def _read(app: App, key: Key) -> bytes:
    path = str(app["tls"][key])
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise InventoryError(
            f"app {app['name']}: tls.{key}: {path} cannot be read here, on the controller ({error.strerror}); correct the path,"
            " or set on_host for a file of the host's."
        ) from None


def _certificate(app: App, text: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(text[max(text.find(BEGIN), 0) :])
    except ValueError:
        raise _wrong(
            app, "certificate", "is not a certificate in PEM form", "use the certificate followed by those of its CA"
        ) from None


def _check_key(app: App, text: bytes, certificate: x509.Certificate) -> None:
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError) as error:
        # A key that wants a password is a TypeError. nginx would ask for it at every start.
        cause = "has a passphrase" if isinstance(error, TypeError) else "is not a private key in PEM form"
        raise _wrong(app, "key", cause, "use a key without a passphrase; ansible-vault can encrypt the file") from None
    public = [
        each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for each in (key.public_key(), certificate.public_key())
    ]
    if public[0] != public[1]:
        raise _wrong(
            app, "key", f"belongs to another certificate than {app['tls']['certificate']}", "use the two that belong together"
        )


def _wrong(app: App, key: Key, cause: str, fix: str) -> InventoryError:
    return InventoryError(f"app {app['name']}: tls.{key}: {app['tls'][key]} {cause}; {fix}.")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def _ends(certificate: x509.Certificate) -> datetime.datetime:
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)  # before cryptography 42
