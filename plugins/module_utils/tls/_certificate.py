# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""A certificate on the disk, the one that a server presents, and the names that it is valid for."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

DAY = 86400.0  # seconds
SOON = 14
"""A certificate with fewer days left should be replaced."""

OVERDUE = 20
"""The same for certbot's certificates, which are renewed 30 days before they expire if they are valid for 90 days."""

TIMEOUT = 5.0  # seconds
SHOWN = ("-startdate", "-enddate", "-subject", "-issuer", "-ext", "subjectAltName")
LETSENCRYPT = "/etc/letsencrypt"

MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""OpenSSL's errors for the key of another certificate. The last is for a key of another type, which nginx accepts."""


@dataclass(frozen=True)
class Certificate:
    """A certificate on the disk.

    :ivar names: the names in its subjectAltName
    :ivar begins: when it becomes valid, in seconds since the epoch; ``ends``: when it expires
    :ivar self_signed: it is signed by no CA, so that browsers always warn
    :ivar fingerprint: the certificate itself (DER), to compare with the one that is served
    :ivar cause: why it cannot be read or used, "" if it can
    :ivar wrong_key: the key belongs to another certificate
    :ivar origin: its real path, symlinks resolved
    """

    path: str
    key: str = ""
    names: tuple[str, ...] = ()
    begins: float = 0.0
    ends: float = 0.0
    self_signed: bool = False
    fingerprint: bytes = b""
    cause: str = ""
    wrong_key: bool = False
    origin: str = ""

    @property
    def lineage(self) -> str:
        """Its name in certbot, "" if it is not one of certbot's."""
        found = (re.match(rf"{LETSENCRYPT}/(?:live|archive)/([^/]+)/", path) for path in (self.path, self.origin))
        return next((match[1] for match in found if match), "")

    @property
    def margin(self) -> float:
        """It should be replaced when it has fewer seconds left."""
        return min((OVERDUE if self.lineage else SOON) * DAY, (self.ends - self.begins) / 4)

    def days(self, now: float) -> int:
        """Whole days until it expires.

        :param now: seconds since the epoch
        """
        return int((self.ends - now) // DAY)

    def result(self, now: float) -> dict[str, Any]:
        """The certificate as modules return it."""
        ends = time.strftime("%Y-%m-%d", time.gmtime(self.ends)) if self.ends else ""
        found = {"path": self.path, "names": list(self.names), "ends": ends, "days_left": self.days(now) if self.ends else None}
        return {**found, "self_signed": self.self_signed, "message": self.cause}


def read(path: str, key: str) -> Certificate:
    """Read a certificate and check whether a key belongs to it. Of a chain, it is the first certificate.

    :param key: the path of its key, "" for none
    """
    try:
        chain = _untrusted.read(path)
        block = re.search("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", chain.decode("ascii", "replace"), re.DOTALL)
        fingerprint = ssl.PEM_cert_to_DER_cert(block[0] if block else "")
    except (OSError, ValueError) as error:
        return Certificate(path, key, cause=f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
    shown = run(["openssl", "x509", "-noout", *SHOWN], timeout=TIMEOUT, stdin=chain)
    if shown.code == 127:  # the package openssl is missing: nothing can be said about it
        return Certificate(path, key, fingerprint=fingerprint)
    if shown.code:
        return Certificate(path, key, cause=f"{path} cannot be read: {shown.last_line}")
    cause, wrong = _pair(chain, key)
    found = replace(parse(path, shown.output), key=key, fingerprint=fingerprint, cause=cause, wrong_key=wrong)
    return replace(found, origin=os.path.realpath(path))


def parse(path: str, shown: str) -> Certificate:
    """Parse the output of ``openssl x509`` with the options ``SHOWN``. Pure."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if re.match(r"\w+=", line))
    return Certificate(
        path=path,
        names=tuple(re.findall(r"(?:DNS|IP Address):([^\s,]+)", shown)),
        begins=ssl.cert_time_to_seconds(values["notBefore"]),
        ends=ssl.cert_time_to_seconds(values["notAfter"]),
        self_signed=values["issuer"] == values["subject"],
    )


def _pair(chain: bytes, key: str) -> tuple[str, bool]:
    """Why a key cannot be used with a certificate, and whether that is because it belongs to another one."""
    if not key.startswith("/"):
        return "", False  # in a hardware module, or a variable in nginx's configuration
    try:
        content = _untrusted.read(key)
    except OSError as error:
        return (f"{key} cannot be read: {error.strerror}", False) if not os.path.exists(key) else ("", False)
    # The module ssl reads files by name alone.
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(chain + b"\n" + content)
        file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=lambda: "")
        except ssl.SSLError as error:
            return "", error.reason in MISMATCHES
    return "", False


def served(port: int, name: str, address: str = "127.0.0.1") -> bytes:
    """The certificate (DER) that a server presents for a name, empty if there is none.

    :param port: the server's port at ``address``
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError, ValueError):
        with socket.create_connection((address, port), timeout=TIMEOUT) as plain:
            with context.wrap_socket(plain, server_hostname=name) as connection:
                return connection.getpeercert(binary_form=True) or b""
    return b""


def covered(name: str, names: Iterable[str]) -> bool:
    """Whether a certificate with some names is valid for a name; a wildcard matches one label (RFC 6125, 6.4.3). Pure."""
    name = name.lower().rstrip(".")
    for candidate in (found.lower() for found in names):
        if name == candidate:
            return True
        if candidate.startswith("*.") and not name.startswith("*.") and name.partition(".")[2] == candidate[2:]:
            return True
    return False
