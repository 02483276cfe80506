# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ACME server says without being asked for a certificate (RFC 8555, RFC 9773)."""

from __future__ import annotations

import base64
import calendar
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage

TIMEOUT = 15.0  # seconds


class Unreachable(Exception):
    """The server cannot be asked; the message says why, in words without a full stop."""


def context(bundle: str | None, options: list[str]) -> ssl.SSLContext:
    """Whom to trust: what certbot is told to, else the host's trust store.

    :param bundle: a file of CA certificates
    :param options: certbot's
    """
    found = ssl.create_default_context(cafile=bundle)
    if "--no-verify-ssl" in options:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    return found


def directory(server: str, trust: ssl.SSLContext) -> dict[str, Any]:
    """A server's directory, with the URLs of what it can do.

    :raises Unreachable: there is none
    """
    found = _get(server, trust)
    if "newOrder" not in found:
        raise Unreachable("what is there is not the directory of an ACME server")
    return found


def identifier(lineage: Lineage) -> str:
    """What an ACME server calls a certificate, "" if that cannot be said (RFC 9773, 4.1). Pure."""
    if not lineage.serial or not lineage.authority:
        return ""
    serial = int(lineage.serial, 16)
    # As in the certificate: with a leading zero where the number would count as negative.
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (bytes.fromhex(lineage.authority), number))


def overdue(said: Mapping[str, Any], now: float) -> bool:
    """Whether a server wants a certificate replaced at once: the time that it suggests is over, as after a revocation. Pure."""
    window = said.get("suggestedWindow")
    end = window.get("end") if isinstance(window, dict) else None
    if not isinstance(end, str):
        return False
    try:
        return calendar.timegm(time.strptime(end[:19], "%Y-%m-%dT%H:%M:%S")) < now
    except ValueError:
        return False


def wants_replaced(lineage: Lineage, found: Mapping[str, Any], trust: ssl.SSLContext, now: float) -> bool:
    """Ask a server whether a certificate of its own is to be replaced. What it does not say is no.

    :param found: its directory
    """
    url, name = found.get("renewalInfo"), identifier(lineage)
    if not isinstance(url, str) or not name:
        return False
    try:
        return overdue(_get(f"{url.rstrip('/')}/{name}", trust), now)
    except Unreachable:
        return False


def _get(url: str, trust: ssl.SSLContext) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"User-Agent": "wsgi.stack", "Accept": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust)).open(request, timeout=TIMEOUT) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        raise Unreachable(f"it answers {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreachable(getattr(reason, "strerror", None) or str(reason)) from None
    if not isinstance(found, dict):
        raise Unreachable("what is there is not the directory of an ACME server")
    return found
