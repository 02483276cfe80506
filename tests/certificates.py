# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as somebody gives them: good ones, and ones that no CA would make."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM form."""

    chain: str
    key: str

    def write(self, directory: Path, name: str = "site") -> dict[str, str]:
        """Write both, and return the paths as the key ``tls`` of an app has them."""
        chain, key = directory / f"{name}.pem", directory / f"{name}.key"
        chain.write_text(self.chain)
        key.write_text(self.key)
        return {"certificate": str(chain), "key": str(key)}


def pair(names: Sequence[str], days: float = 30, passphrase: str | None = None) -> Pair:
    """Make a certificate that signs itself.

    :param days: from now until its end; negative for one that has ended
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    common = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(common)
        .issuer_name(common)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return Pair(
        certificate.public_bytes(Encoding.PEM).decode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode(),
    )
