# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys that lie on the controller: what is wrong with them, before a host is touched."""

from __future__ import annotations

import datetime

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
"""How a file begins that ansible-vault has encrypted; what is in it is looked at on the host, before nginx is touched."""

BEGIN = b"-----BEGIN CERTIFICATE-----"


def check(app: App, now: datetime.datetime) -> None:
    """Refuse files that cannot be what an app presents.

    :param app: a resolved one
    :raises InventoryError: the first mistake found
    """
    tls = app["tls"]
    if tls["mode"] != "files" or tls["on_host"] or not HAS_CRYPTOGRAPHY:
        return
    certificate_text, key_text = (_read(app, key) for key in ("certificate", "key"))
    if certificate_text.startswith(VAULT):
        return
    certificate = _certificate(app, certificate_text)
    ends = _ends(certificate)
    if ends <= now:
        raise _wrong(app, "certificate", f"ended on {ends:%Y-%m-%d}", "one that has not")
    names = _names(certificate)
    missing = [domain for domain in app["domains"] if not covered(domain, names)]
    if missing:
        raise _wrong(
            app, "certificate", f"is for {', '.join(names) or 'no name'}, and not for {missing[0]}", "one for all domains"
        )
    if not key_text.startswith(VAULT):
        _check_key(app, key_text, certificate)


def _read(app: App, key: str) -> bytes:
    path = str(dict(app["tls"])[key])
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
            app, "certificate", "is no certificate in PEM form", "the certificate, and after it those of its CA"
        ) from None


def _check_key(app: App, text: bytes, certificate: x509.Certificate) -> None:
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError) as error:
        # A key that wants a password is a TypeError. nginx would ask for it at every start.
        what = "is encrypted" if isinstance(error, TypeError) else "is no private key in PEM form"
        raise _wrong(app, "key", what, "a key without a passphrase; ansible-vault can encrypt the file") from None
    public = [
        each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for each in (key.public_key(), certificate.public_key())
    ]
    if public[0] != public[1]:
        raise _wrong(
            app, "key", f"belongs to another certificate than {app['tls']['certificate']}", "the two that belong together"
        )


def _wrong(app: App, key: str, found: str, wanted: str) -> InventoryError:
    return InventoryError(f"app {app['name']}: tls.{key}: {dict(app['tls'])[key]} {found}; give {wanted}.")


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
