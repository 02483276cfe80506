# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What an ACME server publishes: its directory (RFC 8555) and when it wants a certificate replaced (RFC 9773)."""

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

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage

TIMEOUT = 15.0  # seconds
NO_DIRECTORY = "this is not the directory of an ACME server"


def context(bundle: str | None, options: list[str]) -> ssl.SSLContext:
    """The CA certificates to trust: those that certbot is told to, otherwise the host's trust store.

    :param bundle: a file with CA certificates, None for the host's
    :param options: certbot's, as an argument vector
    """
    found = ssl.create_default_context(cafile=bundle)
    if "--no-verify-ssl" in options:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    return found


def directory(server: str, trust: ssl.SSLContext) -> dict[str, Any]:
    """A server's directory: the URLs of its services.

    :param server: the URL of the directory
    :raises StackError: the server cannot be reached, or this is not the URL of an ACME directory
    """
    found = _get(server, trust)
    if "newOrder" not in found:
        raise _failure(server, NO_DIRECTORY)
    return found


def identifier(lineage: Lineage) -> str:
    """The identifier of a certificate for its ACME server, "" if it has none (RFC 9773, 4.1). Pure."""
    if not lineage.serial or not lineage.authority:
        return ""
    serial = int(lineage.serial, 16)
    # As in the certificate: with a leading zero byte where the number would be negative otherwise.
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (bytes.fromhex(lineage.authority), number))


def overdue(information: Mapping[str, Any], now: float) -> bool:
    """Whether a server wants a certificate replaced now: the renewal window that it suggests has passed. Pure.

    :param information: its renewal information
    :param now: seconds since the epoch
    """
    window = information.get("suggestedWindow")
    end = window.get("end") if isinstance(window, dict) else None
    if not isinstance(end, str):
        return False
    try:
        return calendar.timegm(time.strptime(end[:19], "%Y-%m-%dT%H:%M:%S")) < now
    except ValueError:
        return False


def wants_replaced(lineage: Lineage, found: Mapping[str, Any], trust: ssl.SSLContext, now: float) -> bool:
    """Ask a server whether one of its certificates should be replaced, as after a revocation. No answer means no.

    :param found: the server's directory
    """
    url, name = found.get("renewalInfo"), identifier(lineage)
    if not isinstance(url, str) or not name:
        return False
    try:
        return overdue(_get(f"{url.rstrip('/')}/{name}", trust), now)
    except StackError:
        return False


def _get(url: str, trust: ssl.SSLContext) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"User-Agent": "wsgi.stack", "Accept": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust)).open(request, timeout=TIMEOUT) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        raise _failure(url, f"it returned {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise _failure(url, getattr(reason, "strerror", None) or str(reason)) from None
    if not isinstance(found, dict):
        raise _failure(url, NO_DIRECTORY)
    return found


def _failure(url: str, cause: str) -> StackError:
    return StackError("certificate", f"the ACME server {url} is not available: {cause}; correct the URL, or run again later.")
