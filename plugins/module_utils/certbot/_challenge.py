# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Check that an ACME server will reach this host: request a test file through each name, as it would."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import secrets
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.tls._sites import CHALLENGE, WEBROOT

JOBS = 32
TIMEOUT = 10.0
"""Seconds for one request; the same as Let's Encrypt."""
REDIRECTS = 10
"""How many redirects are followed; the same as Let's Encrypt (https://letsencrypt.org/docs/challenge-types/)."""
PATIENCE = 5.0
"""Seconds for which a name may return something else."""
PAUSE = 0.5
"""Seconds between two attempts."""
BYTES = 4096  # of a response


@dataclass(frozen=True)
class Visit:
    """The result of requesting the file through a name.

    :ivar addresses: the addresses of the name
    :ivar url: the last URL, after redirects
    :ivar status: the status code, None if there was no response
    :ivar arrived: whether the response was the file
    :ivar error: why there was no response
    """

    addresses: tuple[str, ...] = ()
    url: str = ""
    status: int | None = None
    arrived: bool = False
    error: str = ""


def unreachable(name: str, visit: Visit, webroot: str) -> str:
    """Why the file was not found through a name, "" if it was. Pure."""
    if visit.arrived:
        return ""
    if not visit.addresses:
        return f"{name} does not resolve ({visit.error})"
    where = f"{name} resolves to {', '.join(visit.addresses)}"
    if visit.status is None:
        return f"{where}, and {visit.url} gives no response ({visit.error})"
    wrong = "something else" if visit.status == 200 else str(visit.status)
    return f"{where}, and {visit.url} returns {wrong} instead of the test file in {webroot}"


def cause(visits: Mapping[str, Visit], webroot: str) -> str:
    """What is wrong with the names of a certificate and what to do, "" if all lead to this host. Pure."""
    wrong = [found for found in (unreachable(name, visit, webroot) for name, visit in sorted(visits.items())) if found]
    if not wrong:
        return ""
    names = "the name" if len(wrong) == 1 else "the names"
    return (
        f"{'; '.join(wrong)}, so the CA was not asked; make {names} lead to port 80 of this host, or remove"
        f" {'it' if len(wrong) == 1 else 'them'} from domains, and run again."
    )


@contextlib.contextmanager
def offered(webroot: str) -> Iterator[tuple[str, bytes]]:
    """Create the test file, and remove it at the end of the block.

    :returns: its path in URLs, and its content
    :raises StackError: it cannot be written
    """
    directory = f"{webroot}{CHALLENGE}"
    name, content = f"wsgi-{secrets.token_hex(16)}", secrets.token_hex(32).encode()
    path = os.path.join(directory, name)
    try:
        prepare(webroot)
        with open(path, "wb") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(content)
    except OSError as error:
        raise StackError("certificate", f"{path} cannot be written ({error.strerror}); fix that and run again.") from None
    try:
        yield f"{CHALLENGE}{name}", content
    finally:
        os.unlink(path)


def prepare(webroot: str) -> bool:
    """Create the directory from which nginx answers challenges.

    :returns: whether it was missing
    """
    directory = f"{webroot}{CHALLENGE}".rstrip("/")
    missing = not os.path.isdir(directory)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    if webroot == WEBROOT:
        os.chmod(os.path.dirname(webroot), 0o755)  # closed to nginx if it was made with a strict umask
    return missing


def visits(names: Iterable[str], path: str, content: bytes, port: int = 80) -> dict[str, Visit]:
    """Request a file through many names at once.

    A name that returns something else is tried again: for a moment after a reload, old workers of nginx may still respond.
    """
    found: dict[str, Visit] = {}
    wanted = sorted(set(names))
    deadline = time.monotonic() + PATIENCE
    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        while wanted:
            found.update(zip(wanted, pool.map(lambda name: visit(name, path, content, port), wanted)))
            wanted = [name for name in wanted if found[name].status is not None and not found[name].arrived]
            if time.monotonic() > deadline:
                break
            if wanted:
                time.sleep(PAUSE)
    return found


def visit(name: str, path: str, content: bytes, port: int = 80) -> Visit:
    """Request a file through a name as an ACME server does, without the proxy that the host may have.

    :param port: the port of the first request
    """
    try:
        addresses = _addresses(name, port)
    except OSError as error:
        return Visit(error=error.strerror or str(error))
    url = f"http://{name}{path}" if port == 80 else f"http://{name}:{port}{path}"
    for _redirect in range(REDIRECTS + 1):
        try:
            status, location, body = _get(url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return Visit(addresses, url, error=cause)
        if status not in (301, 302, 303, 307, 308) or not location:
            return Visit(addresses, url, status, arrived=status == 200 and body.strip() == content)
        url = urljoin(url, location)
    return Visit(addresses, url, status)


def _addresses(name: str, port: int) -> tuple[str, ...]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    # Let's Encrypt tries IPv6 first where a name has both.
    ordered = sorted(found, key=lambda entry: entry[0] != socket.AF_INET6)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in ordered))


def _get(url: str) -> tuple[int, str, bytes]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    if not re.fullmatch(r"https?", parts.scheme) or not host:
        raise ValueError(f"it redirects to {url}")
    connection = _connection(host, port, secure)
    try:
        connection.request(
            "GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers={"Connection": "close"}
        )
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location", ""), answer.read(BYTES)
    finally:
        connection.close()


def _connection(host: str, port: int, secure: bool) -> http.client.HTTPConnection:
    """A connection to the first of a host's addresses that accepts one."""
    problem: OSError = OSError("it has no address")
    for address in _addresses(host, port):
        try:
            plain = socket.create_connection((address, port), timeout=TIMEOUT)
        except OSError as error:
            problem = error
            continue
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        connection.sock = _unverified().wrap_socket(plain, server_hostname=host) if secure else plain
        return connection
    raise problem


def _unverified() -> ssl.SSLContext:
    """Like ACME servers, accept any certificate after a redirect: it is the one that is about to be replaced."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
