# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate: as it lies on the disk, as nginx serves it, and the names that it is for."""

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

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

DAY = 86400.0  # seconds
SOON = 14
"""Days before its end at which somebody should see to a certificate."""

OVERDUE = 20
"""The same for one of certbot's, which should have been renewed by then: that is done 30 days before the end of one of 90."""

TIMEOUT = 5.0  # seconds
SHOWN = ("-startdate", "-enddate", "-subject", "-issuer", "-ext", "subjectAltName")
LETSENCRYPT = "/etc/letsencrypt"

MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""What OpenSSL says of the key of another certificate; the last one, of a key of another kind, which nginx does not refuse."""


@dataclass(frozen=True)
class Certificate:
    """A certificate on the disk.

    :ivar names: those of its subjectAltName
    :ivar begins: seconds since the epoch, ``ends`` likewise
    :ivar self_signed: nobody vouches for it, so that browsers warn of it in any case
    :ivar fingerprint: its bytes, to compare with those that are served
    :ivar trouble: why it cannot be read or used, "" if it can
    :ivar wrong_key: whether the key belongs to another one
    :ivar origin: where it lies, if the path leads there by links
    """

    path: str
    key: str = ""
    names: tuple[str, ...] = ()
    begins: float = 0.0
    ends: float = 0.0
    self_signed: bool = False
    fingerprint: bytes = b""
    trouble: str = ""
    wrong_key: bool = False
    origin: str = ""

    @property
    def lineage(self) -> str:
        """What certbot calls it, "" if it is none of certbot's."""
        found = (re.match(rf"{LETSENCRYPT}/(?:live|archive)/([^/]+)/", path) for path in (self.path, self.origin))
        return next((match[1] for match in found if match), "")

    @property
    def margin(self) -> float:
        """Seconds before its end at which it is late."""
        return min((OVERDUE if self.lineage else SOON) * DAY, (self.ends - self.begins) / 4)

    def days(self, now: float) -> int:
        """Whole days that are left."""
        return int((self.ends - now) // DAY)

    def result(self, now: float) -> dict[str, Any]:
        """The certificate as modules return it."""
        ends = time.strftime("%Y-%m-%d", time.gmtime(self.ends)) if self.ends else ""
        found = {"path": self.path, "names": list(self.names), "ends": ends, "days_left": self.days(now) if self.ends else None}
        return {**found, "self_signed": self.self_signed, "trouble": self.trouble}


def read(path: str, key: str) -> Certificate:
    """A certificate and whether its key belongs to it. Of a chain it is the first one."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            block = re.search("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", stream.read(), re.DOTALL)
        fingerprint = ssl.PEM_cert_to_DER_cert(block[0] if block else "")
    except (OSError, ValueError) as error:
        return Certificate(path, key, trouble=f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
    shown = run(["openssl", "x509", "-in", path, "-noout", *SHOWN], timeout=TIMEOUT)
    if shown.code == 127:  # it is on every host that has the usual certificates; without it, nothing is said of this one
        return Certificate(path, key, fingerprint=fingerprint)
    if shown.code:
        return Certificate(path, key, trouble=f"{path} cannot be read: {shown.last_line}")
    trouble, wrong = _pair(path, key)
    found = replace(parse(path, shown.output), key=key, fingerprint=fingerprint, trouble=trouble, wrong_key=wrong)
    return replace(found, origin=os.path.realpath(path))


def parse(path: str, shown: str) -> Certificate:
    """A certificate from what ``openssl x509`` shows of it. Pure."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if re.match(r"\w+=", line))
    return Certificate(
        path=path,
        names=tuple(re.findall(r"(?:DNS|IP Address):([^\s,]+)", shown)),
        begins=ssl.cert_time_to_seconds(values["notBefore"]),
        ends=ssl.cert_time_to_seconds(values["notAfter"]),
        self_signed=values["issuer"] == values["subject"],
    )


def _pair(path: str, key: str) -> tuple[str, bool]:
    """Why a key does not do for a certificate, and whether that is because it belongs to another one."""
    if not key.startswith("/"):
        return "", False  # a key of a hardware module, or a variable
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, key, password=lambda: "")
    except ssl.SSLError as error:
        return "", error.reason in MISMATCHES
    except OSError as error:
        return (f"{key} cannot be read: {error.strerror}", False) if not os.path.exists(key) else ("", False)
    return "", False


def served(port: int, name: str, address: str = "127.0.0.1") -> bytes:
    """The certificate that is served for a name, nothing if none is.

    :param port: where nginx listens on ``address``
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
    """Whether a name of a server is among those of a certificate; a star stands for one label (RFC 6125, 6.4.3). Pure."""
    name = name.lower().rstrip(".")
    for candidate in (found.lower() for found in names):
        if name == candidate:
            return True
        if candidate.startswith("*.") and not name.startswith("*.") and name.partition(".")[2] == candidate[2:]:
            return True
    return False
