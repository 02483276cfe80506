# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""One request to nginx, as a visitor makes it. What comes back may be anything, of any length, at any speed."""

from __future__ import annotations

import errno
import re
import socket
import ssl
import time
from dataclasses import dataclass, field

ANSWER_BYTES = 65536
"""Bytes read of an answer at most."""

KEPT = 2000
"""Characters kept of its beginning, and of its Location."""

COOKIES = 10
"""Cookies that are kept of an answer."""

COOKIE = re.compile(rb"^set-cookie:[ \t]*([!#-+\-.\w]{1,200})=([\w!#-+\-./:<-\[\]-~]{0,2000})", re.IGNORECASE | re.MULTILINE)

AGENT = "wsgi.stack doctor"


@dataclass(frozen=True)
class Visit:
    """A request.

    :ivar address: the IP address to connect to
    :ivar name: the host name that is asked for
    :ivar tls: whether by HTTPS
    :ivar proxied: whether the connection begins with the header of the PROXY protocol
    :ivar headers: further request headers
    """

    address: str
    port: int
    name: str
    path: str = "/"
    tls: bool = False
    proxied: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=())

    @property
    def authority(self) -> str:
        """The host with its port, as browsers write it."""
        return self.name if self.port == (443 if self.tls else 80) else f"{self.name}:{self.port}"

    @property
    def url(self) -> str:
        """What a visitor would type."""
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.path}"

    @property
    def where(self) -> str:
        """Where the request was sent, for people."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """What came back.

    :ivar status: 0 if there was no answer
    :ivar error: why not: the name of an errno; EOF if the connection was closed, EPROTO if the answer is not HTTP, TLS if no TLS
        connection could be made
    :ivar text: the error as text
    """

    status: int = 0
    location: str = ""
    body: str = ""
    error: str = ""
    text: str = ""
    cookies: tuple[tuple[str, str], ...] = ()


def ask(visit: Visit, timeout: float) -> Answer:
    """Make a request.

    :param timeout: seconds for all of it
    """
    deadline = time.monotonic() + timeout
    received = b""
    try:
        with socket.create_connection((visit.address, visit.port), timeout) as plain:
            if visit.proxied:
                plain.sendall(b"PROXY UNKNOWN\r\n")
            with _secured(plain, visit.name) if visit.tls else plain as connection:
                connection.sendall(_request(visit))
                while len(received) < ANSWER_BYTES:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise socket.timeout
                    connection.settimeout(left)
                    part = connection.recv(ANSWER_BYTES)
                    if not part:
                        break
                    received += part
    except socket.timeout:
        return parsed(received) if _status(received) else Answer(error="ETIMEDOUT", text=f"no answer within {timeout:.0f} s")
    except ssl.SSLError as error:
        return parsed(received) if _status(received) else Answer(error="TLS", text=str(error.reason or error)[:KEPT])
    except (OSError, ValueError) as error:
        name = errno.errorcode.get(getattr(error, "errno", None) or 0, "")
        words = str(getattr(error, "strerror", None) or error)[:KEPT]
        return parsed(received) if _status(received) else Answer(error=name or "OTHER", text=words)
    return parsed(received)


def parsed(received: bytes) -> Answer:
    """The status and the beginning of an answer. Pure."""
    status = _status(received)
    if not status:
        text = received[:60].decode(errors="replace")
        closed = "the connection was closed without an answer"
        return Answer(error="EPROTO", text=f"not HTTP: {text!r}") if received else Answer(error="EOF", text=closed)
    head, _blank, body = received.partition(b"\r\n\r\n")
    location = re.search(rb"^location:[ \t]*([^\r\n]*)", head, re.IGNORECASE | re.MULTILINE)
    where = location[1].decode("latin-1").strip()[:KEPT] if location else ""
    cookies = tuple((name.decode(), value.decode()) for name, value in COOKIE.findall(head)[:COOKIES])
    return Answer(status, where, body[:KEPT].decode(errors="replace"), cookies=cookies)


def _status(received: bytes) -> int:
    found = re.match(rb"HTTP/[0-9.]+ +([1-9][0-9]{2})(?![0-9])", received)
    return int(found[1]) if found else 0


def _request(visit: Visit) -> bytes:
    pairs = [("Host", visit.authority), ("User-Agent", AGENT), ("Accept", "*/*"), *visit.headers, ("Connection", "close")]
    lines = [f"GET {visit.path} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode()


def _secured(plain: socket.socket, name: str) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # certificates have findings of their own
    return context.wrap_socket(plain, server_hostname=name if re.search("[a-z]", name, re.IGNORECASE) else None)
