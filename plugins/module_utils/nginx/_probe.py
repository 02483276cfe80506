# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking apps through nginx, as a visitor would."""

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

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, for_each_app
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._files import log_path
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._messages import about_request

JOBS = 64
"""Apps asked at once; almost all of the time is spent waiting."""

PAUSE = 0.25
"""Seconds between two tries; nginx starts new workers within some 0.1 s of a reload."""

REQUEST_TIMEOUT = 5.0
"""Seconds that a single request has at least, though the time for all of them be over."""

PARTIAL_CHAIN = 0x80000
"""X509_V_FLAG_PARTIAL_CHAIN of OpenSSL, which Python names since 3.10: trust in a certificate needs none in who signed it."""

LOG_BYTES = 65536
"""How much of what an error log has gained is read."""

LOG_LINES = 20
"""How much of it is returned."""


@dataclass(frozen=True)
class Question:
    """A request, and the answer that is wanted: one of some status codes, or a redirect.

    :ivar redirect: the host that is redirected to, with ``https://`` and the port if it has to be by HTTPS
    :ivar tls: the port for HTTPS, None to ask by HTTP
    :ivar named: whether the certificate has to be for the host
    """

    host: str
    path: str
    status: tuple[int, ...]
    redirect: str | None = None
    tls: int | None = None
    named: bool = False


@dataclass(frozen=True)
class Answer:
    """What came: a status code with the Location header, or what went wrong instead; ``seconds`` of the last try."""

    status: int | None
    location: str = ""
    error: str = ""
    seconds: float = 0.0


def questions(app: dict[str, Any]) -> list[Question]:
    """What to ask of an app: its health check under each of its domains, and by each way there. Pure.

    Of a wildcard domain, ``www`` is asked; of an app without domains ``localhost``, as the rollout does.
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
            found.append(Question(host, check["path"], status, redirect))
            continue
        across = f"https://{redirect or host}{_suffix(tls['port'], 443)}"
        plain = ((308,), across) if tls["redirect"] else (status, redirect)
        found.append(Question(host, check["path"], *plain))
        # Of a certificate that somebody gave for whatever name nobody knows what it is for.
        named = bool(app["domains"]) or tls["mode"] != "files"
        found.append(Question(host, check["path"], status, redirect, tls["port"], named))
    return found


def _suffix(port: int, usual: int) -> str:
    return "" if port == usual else f":{port}"


def complaint(question: Question, answer: Answer) -> str | None:
    """Why an answer is not the wanted one, None if it is. Pure."""
    wanted = " or ".join(map(str, question.status))
    if question.redirect:
        wanted += f" to {question.redirect}"
    if answer.status is None:
        return f"got no answer ({answer.error}), wanted {wanted}"
    if answer.status not in question.status:
        return f"got {answer.status}, wanted {wanted}"
    if question.redirect and not _leads_to(answer.location, question.redirect):
        return f"got {answer.status} to {answer.location or 'nowhere'}, wanted {wanted}"
    return None


def _leads_to(location: str, wanted: str) -> bool:
    if wanted.startswith("https://"):
        return location.startswith(f"{wanted}/")
    target = re.match(r"https?://([^/:]+)", location)
    return target is not None and target[1] == wanted


def listening(address: str, port: int) -> bool:
    """Whether anything takes connections there."""
    try:
        socket.create_connection((address, port), timeout=3).close()
    except OSError:
        return False
    return True


def probe(
    apps: Sequence[dict[str, Any]], address: str, port: int, timeout: float
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """Ask all apps under all their domains.

    :param apps: resolved apps
    :param timeout: seconds that an app has to give the wanted answers
    :returns: what each app answered that answered as wanted, by name, and the failures of the others
    """
    return for_each_app(apps, lambda app: _app(app, address, port, timeout), jobs=JOBS)


def _app(app: dict[str, Any], address: str, port: int, timeout: float) -> list[dict[str, Any]]:
    deadline = time.monotonic() + timeout
    log = log_path(app, "error")
    logged_before = os.path.getsize(log) if os.path.exists(log) else 0
    found = []
    for question in questions(app):
        answer = _ask(question, address, port, max(REQUEST_TIMEOUT, timeout))
        while complaint(question, answer) and time.monotonic() < deadline:
            time.sleep(PAUSE)
            answer = _ask(question, address, port, max(REQUEST_TIMEOUT, deadline - time.monotonic()))
        scheme, asked, usual = ("https", question.tls, 443) if question.tls else ("http", port, 80)
        url = f"{scheme}://{question.host}{_suffix(asked, usual)}{question.path}"
        wrong = complaint(question, answer)
        if wrong:
            text = _gained(log, logged_before)
            words = about_request(text, question.host, question.path)
            says = f"; nginx says: {words}" if words else f"; see {log} and the app's own log"
            lines = "\n".join(text.splitlines()[-LOG_LINES:])
            raise StackError("verify", f"asked {url} of {address}:{asked}, {wrong}{says}.", lines)
        found.append({"url": url, "status": answer.status, "seconds": round(answer.seconds, 3)})
    return found


def _ask(question: Question, address: str, port: int, timeout: float) -> Answer:
    began = time.monotonic()
    connection = http.client.HTTPConnection(address, question.tls or port, timeout=timeout)
    host = question.host + _suffix(question.tls or port, 443 if question.tls else 80)
    try:
        if question.tls:
            connection.sock = _secured(question, address, timeout)
        connection.putrequest("GET", question.path, skip_host=True)
        for name, value in (("Host", host), ("User-Agent", "wsgi.stack"), ("Connection", "close")):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return Answer(response.status, response.getheader("Location", ""), "", time.monotonic() - began)
    except http.client.RemoteDisconnected:
        error = "the connection was closed"
    except ssl.SSLCertVerificationError as problem:
        error = f"the certificate does not do: {problem.verify_message.rstrip('.')}"
    except ssl.SSLError as problem:
        error = f"no TLS: {problem.reason or problem}"
    except (OSError, http.client.HTTPException) as problem:
        error = str(getattr(problem, "strerror", None) or problem)
    finally:
        connection.close()
    return Answer(None, "", error, time.monotonic() - began)


def _secured(question: Question, address: str, timeout: float) -> ssl.SSLSocket:
    """A connection by TLS to who presents a certificate for the host, whoever vouches for it.

    What is presented counts as trusted, and is looked at for its names and dates: a site may sign itself, and whether a visitor
    knows a CA is not known here.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secured = _connected(context, question, address, timeout)
    if not question.named:
        return secured
    with secured:
        presented = secured.getpeercert(binary_form=True) or b""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=presented)
    context.verify_flags |= PARTIAL_CHAIN
    return _connected(context, question, address, timeout)


def _connected(context: ssl.SSLContext, question: Question, address: str, timeout: float) -> ssl.SSLSocket:
    plain = socket.create_connection((address, question.tls or 443), timeout=timeout)
    try:
        return context.wrap_socket(plain, server_hostname=question.host)
    except OSError:
        plain.close()
        raise


def _gained(path: str, size: int) -> str:
    """What a log has gained since it had a size in bytes, whole if it has been rotated since."""
    try:
        with open(path, "rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(size if size <= end else 0, end - LOG_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
