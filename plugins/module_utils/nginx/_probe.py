# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Request apps through nginx, as a visitor would."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, for_each_app
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import about_request
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._paths import log_path

JOBS = 64
"""Apps at once; almost all of the time is spent waiting."""

PAUSE = 0.25
"""Seconds between two attempts; nginx starts new workers within some 0.1 s of a reload."""

REQUEST_TIMEOUT = 5.0
"""The minimum timeout of a single request in seconds, even if the time for all of them is over."""

PARTIAL_CHAIN = 0x80000
"""OpenSSL's X509_V_FLAG_PARTIAL_CHAIN, in Python since 3.10: a trusted certificate needs no trusted issuer."""

LOG_BYTES = 65536
"""How many bytes of the new part of an error log are read."""

LOG_LINES = 20
"""How many lines of it are returned."""


@dataclass(frozen=True)
class SiteRequest:
    """A request and its expected response: one of some status codes, or a redirect.

    :ivar status: the expected status codes
    :ivar redirect: the host that it has to redirect to; with ``https://`` and the port if the redirect has to be to HTTPS
    :ivar tls: the port for HTTPS, None for a request by HTTP
    :ivar named: whether the certificate has to be valid for the host
    """

    host: str
    path: str
    status: tuple[int, ...]
    redirect: str | None = None
    tls: int | None = None
    named: bool = False


@dataclass(frozen=True)
class SiteResponse:
    """The response of the last attempt.

    :ivar status: its status code, None if there was no response
    :ivar location: its Location header
    :ivar error: why there was no response
    :ivar seconds: how long it took
    """

    status: int | None
    location: str = ""
    error: str = ""
    seconds: float = 0.0


def requests(app: App) -> list[SiteRequest]:
    """The requests for an app: its health check under each of its domains, by HTTP and by HTTPS if it has TLS. Pure.

    For a wildcard domain it is ``www``, for an app without domains ``localhost``, as in the health check of a rollout.
    """
    check, tls = app["health_check"], app["tls"]
    healthy = tuple(check["status"])
    found = []
    for domain in app["domains"] or ["localhost"]:
        canonical = app["canonical_domain"]
        redirect = canonical if canonical and domain != canonical else None
        host = re.sub(r"^\*", "www", domain)
        status = (308,) if redirect else healthy
        if tls["mode"] == "none":
            found.append(SiteRequest(host, check["path"], status, redirect))
            continue
        across = f"https://{redirect or host}{_suffix(tls['port'], 443)}"
        plain = ((308,), across) if tls["redirect"] else (status, redirect)
        found.append(SiteRequest(host, check["path"], *plain))
        # Without domains, the names of a certificate from the user's files are not known.
        named = bool(app["domains"]) or tls["mode"] != "files"
        found.append(SiteRequest(host, check["path"], status, redirect, tls["port"], named))
    return found


def url(app: App, host: str, port: int) -> str:
    """Where a visitor finds an app. Pure.

    :param host: the name of the host, for an app without domains
    :param port: nginx's port for HTTP
    """
    name = app["canonical_domain"] or next(iter(app["domains"]), host)
    secure = app["tls"]["mode"] != "none"
    scheme, suffix = ("https", _suffix(app["tls"]["port"], 443)) if secure else ("http", _suffix(port, 80))
    return f"{scheme}://{re.sub(r'^[*]', 'www', name)}{suffix}{app['mount'].rstrip('/')}/"


def _suffix(port: int, usual: int) -> str:
    return "" if port == usual else f":{port}"


def mismatch(request: SiteRequest, response: SiteResponse) -> str:
    """How a response differs from the expected one, "" if it does not. Pure."""
    expected = " or ".join(map(str, request.status))
    if request.redirect:
        expected += f" to {request.redirect}"
    if response.status is None:
        return f"gave no response ({response.error}) instead of {expected}"
    if response.status not in request.status:
        # Without the query, in which there may be a secret.
        target = re.split("[?#]", response.location)[0] if 300 <= response.status < 400 else ""
        return f"returned {response.status}{f' to {target}' if target else ''} instead of {expected}"
    if request.redirect and not _leads_to(response.location, request.redirect):
        return f"returned {response.status} to {response.location or 'nowhere'} instead of {expected}"
    return ""


def _leads_to(location: str, wanted: str) -> bool:
    if wanted.startswith("https://"):
        return location.startswith(f"{wanted}/")
    target = re.match(r"https?://([^/:]+)", location)
    return target is not None and target[1] == wanted


def listening(address: str, port: int) -> bool:
    """Whether anything accepts connections there."""
    try:
        socket.create_connection((address, port), timeout=3).close()
    except OSError:
        return False
    return True


def probe(
    apps: Sequence[App], address: str, port: int, timeout: float
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """Request all apps under all their domains, until they respond as expected.

    :param address: nginx's address
    :param port: its port for HTTP
    :param timeout: seconds for each app; 0 for one attempt
    :returns: by the name of the app, the responses of those that all were as expected; and the failures of the other apps
    """
    return for_each_app(apps, lambda app: _app(app, address, port, timeout), jobs=JOBS)


def _app(app: App, address: str, port: int, timeout: float) -> list[dict[str, Any]]:
    deadline = time.monotonic() + timeout
    log = log_path(app, "error")
    logged_before = os.path.getsize(log) if os.path.exists(log) else 0
    found = []
    for request in requests(app):
        response = _send(request, address, port, max(REQUEST_TIMEOUT, timeout))
        while mismatch(request, response) and time.monotonic() < deadline:
            time.sleep(PAUSE)
            response = _send(request, address, port, max(REQUEST_TIMEOUT, deadline - time.monotonic()))
        scheme, used, usual = ("https", request.tls, 443) if request.tls else ("http", port, 80)
        url = f"{scheme}://{request.host}{_suffix(used, usual)}{request.path}"
        wrong = mismatch(request, response)
        if wrong:
            text = _added(log, logged_before)
            cause = about_request(text, request.host, request.path)
            reference = f"nginx's error log says: {cause}" if cause else f"see {log} and the app's own log"
            lines = "\n".join(text.splitlines()[-LOG_LINES:])
            raise StackError("verify", f"{url} (requested at {address}:{used}) {wrong}; {reference}.", lines)
        found.append({"url": url, "status": response.status, "seconds": round(response.seconds, 3)})
    return found


def _send(request: SiteRequest, address: str, port: int, timeout: float) -> SiteResponse:
    began = time.monotonic()
    connection = http.client.HTTPConnection(address, request.tls or port, timeout=timeout)
    host = request.host + _suffix(request.tls or port, 443 if request.tls else 80)
    try:
        if request.tls:
            connection.sock = _secured(request, address, timeout)
        connection.putrequest("GET", request.path, skip_host=True)
        for name, value in (("Host", host), ("User-Agent", "wsgi.stack"), ("Connection", "close")):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return SiteResponse(response.status, response.getheader("Location", ""), "", time.monotonic() - began)
    except http.client.RemoteDisconnected:
        error = "the connection was closed"
    except ssl.SSLCertVerificationError as problem:
        error = f"the certificate is not valid: {problem.verify_message.rstrip('.')}"
    except ssl.SSLError as problem:
        error = f"TLS failed: {problem.reason or problem}"
    except (OSError, http.client.HTTPException) as problem:
        error = str(getattr(problem, "strerror", None) or problem)
    finally:
        connection.close()
    return SiteResponse(None, "", error, time.monotonic() - began)


def _secured(request: SiteRequest, address: str, timeout: float) -> ssl.SSLSocket:
    """A TLS connection to a server with a valid certificate for the host, from any issuer.

    The certificate counts as trusted, and its names and dates are verified: it may be self-signed, and which CAs visitors trust
    is not known here.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secured = _connected(context, request, address, timeout)
    if not request.named:
        return secured
    with secured:
        presented = secured.getpeercert(binary_form=True) or b""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=presented)
    context.verify_flags |= PARTIAL_CHAIN
    return _connected(context, request, address, timeout)


def _connected(context: ssl.SSLContext, request: SiteRequest, address: str, timeout: float) -> ssl.SSLSocket:
    plain = socket.create_connection((address, request.tls or 443), timeout=timeout)
    try:
        return context.wrap_socket(plain, server_hostname=request.host)
    except OSError:
        plain.close()
        raise


def _added(path: str, size: int) -> str:
    """What was appended to a log since it had a size in bytes; all of it if it was rotated meanwhile."""
    try:
        with open(path, "rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(size if size <= end else 0, end - LOG_BYTES))
            return stream.read().decode(errors="surrogateescape")
    except OSError:
        return ""
