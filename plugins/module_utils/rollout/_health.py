# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The health check of a slot: a real request over its own socket, sent as nginx's user."""

from __future__ import annotations

import inspect
import json
import pwd
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _ask

ASK = inspect.getsource(_ask)
"""The program that sends the requests: it runs as another user, by itself."""


PASSING = (408, 425, 429)
"""HTTP status codes below 500 that may be others a moment later: timeouts, and too many requests."""


class Answer(NamedTuple):
    """What came of a health check.

    :ivar healthy: whether that is as it should be
    :ivar text: what was answered, or why nothing was, as a clause
    :ivar fix: what to do about an answer that is not going to change; "" if it may
    :ivar sender: the process that answered, 0 if none did
    """

    healthy: bool
    text: str
    fix: str = ""
    sender: int = 0


@dataclass(frozen=True)
class HealthRequest:
    """The request that an app has to answer.

    :ivar path: with the mount
    :ivar host: of the header ``Host``
    :ivar statuses: the HTTP status codes of a healthy answer
    :ivar scheme: that of the URL of a visitor, as nginx passes it on
    :ivar mount: the app's
    """

    path: str = "/"
    host: str = "localhost"
    statuses: Collection[int] = range(100, 600)
    scheme: str = "http"
    mount: str = "/"

    def over(self, socket: str, protocol: str, timeout: float) -> dict[str, Any]:
        """The request as the program ``ASK`` takes it.

        :param protocol: ``uwsgi`` or ``http``
        :param timeout: seconds
        """
        rest = {"uri": self.path, "host": self.host, "scheme": self.scheme}
        return {"path": socket, "protocol": protocol, "timeout": timeout, **rest}


def request(app: App) -> HealthRequest:
    """The health check of an app, sent to its canonical domain, else to its first one that is no wildcard. Pure."""
    host = app["canonical_domain"] or next((domain for domain in app["domains"] if not domain.startswith("*")), "localhost")
    scheme = "http" if app["tls"]["mode"] == "none" else "https"
    return HealthRequest(app["health_check"]["path"], host, tuple(app["health_check"]["status"]), scheme, app["mount"])


def check(targets: Sequence[tuple[HealthRequest, str, str]], nginx_user: str, timeout: float) -> list[Answer]:
    """Send the health checks of several slots, all at once.

    :param targets: each a request, the path of a socket and its protocol
    :param timeout: seconds that each has for its answer
    """
    if not targets:
        return []
    try:
        pwd.getpwnam(nginx_user)
    except KeyError:
        return [Answer(False, f"the user {nginx_user} does not exist; correct nginx_user")] * len(targets)
    questions = [request.over(socket, protocol, timeout) for request, socket, protocol in targets]
    program, stdin = [sys.executable, "-I", "-c", ASK], json.dumps(questions).encode()
    done = _sandbox.run_own(program, nginx_user, timeout=timeout + 10, stdin=stdin)
    if done.code:
        return [Answer(False, done.last_line)] * len(targets)
    return [judge(request, answer) for (request, _socket, _protocol), answer in zip(targets, json.loads(done.output))]


def judge(request: HealthRequest, answer: Mapping[str, Any]) -> Answer:
    """Whether an answer is healthy. Pure.

    :param answer: has an ``error``, or a ``status``, a ``location`` and a ``sender``
    """
    if "error" in answer:
        return Answer(False, answer["error"])
    status, location = answer["status"], answer["location"]
    redirect = f" to {_redact.redactor()(location)}" if location and 300 <= status < 400 else ""
    expected = " or ".join(map(str, request.statuses))
    told = f"GET {request.path} returned {status}{redirect} instead of {expected}"
    # A server error may be over when a database has started.
    if status in request.statuses or status >= 500 or status in PASSING:
        return Answer(status in request.statuses, told, sender=answer["sender"])
    return Answer(False, told, _fix(request, status, location, expected), answer["sender"])


def _fix(request: HealthRequest, status: int, location: str, expected: str) -> str:
    """What to do about an answer that is not going to change. Pure.

    A status under which no visitor can use the app is not offered for ``health_check.status``.
    """
    to_https = re.match(rf"https://{re.escape(request.host)}(?![\w.-])", location, re.IGNORECASE)
    if to_https and 300 <= status < 400 and request.scheme == "http":
        return "the app redirects to HTTPS; set tls, or turn its redirect off (in Django SECURE_SSL_REDIRECT)"
    fix = f"set health_check.path to a page that returns {expected}"
    if status == 400:
        return f"if the app does not accept the host name {request.host}, allow it (Django: ALLOWED_HOSTS); otherwise {fix}"
    if status == 404 and request.mount != "/":
        return f"if the app ignores its mount (SCRIPT_NAME is {request.mount}), give it a domain of its own; otherwise {fix}"
    return fix if status == 404 else f"{fix}, or health_check.status: [{status}]"
