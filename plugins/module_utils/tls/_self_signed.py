# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Create self-signed certificates."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

VALID = 824
"""Days for which a self-signed certificate is valid: the most that Apple's systems accept (support.apple.com/103769)."""

CONFIGURATION = """
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = {name}
[extensions]
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
"""


def create(chain: str, key: str, signed_for: Sequence[str], common: str) -> str:
    """Create a key and a self-signed certificate.

    :param chain: the file for the certificate, ``key`` that for the key
    :param signed_for: the names that it is valid for
    :param common: its common name
    :returns: a digest of the certificate
    :raises StackError: openssl failed
    """
    configuration = CONFIGURATION.format(name=common, names=", ".join(f"DNS:{name}" for name in signed_for))
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256"]
    paths = ["-days", str(VALID), "-keyout", key, "-out", chain, "-config", "/dev/stdin"]
    signed = run([*argv, *paths], stdin=configuration.encode(), umask=0o077)
    if signed.code != 0:
        raise StackError("tls", f"openssl cannot create a self-signed certificate: {signed.last_line}.", signed.output)
    os.chmod(chain, 0o644)
    with open(chain, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()[:16]
