# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The health check of a slot: a real request over its own socket, sent as nginx's user."""

from __future__ import annotations

import inspect
import json
import pwd
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _ask

ASK = inspect.getsource(_ask)
"""The program that sends the requests: it runs as another user, by itself."""


@dataclass(frozen=True)
class HealthRequest:
    """The request that an app has to answer.

    :ivar path: with the mount
    :ivar host: of the header ``Host``
    :ivar statuses: the HTTP status codes of a healthy answer
    """

    path: str = "/"
    host: str = "localhost"
    statuses: Collection[int] = range(100, 600)

    def over(self, socket: str, protocol: str, timeout: float) -> dict[str, Any]:
        """The request as the program ``ASK`` takes it.

        :param protocol: ``uwsgi`` or ``http``
        :param timeout: seconds
        """
        return {"path": socket, "protocol": protocol, "uri": self.path, "host": self.host, "timeout": timeout}


def request(app: App) -> HealthRequest:
    """The health check of an app, sent to its canonical domain, else to its first one that is no wildcard. Pure."""
    host = app["canonical_domain"] or next((domain for domain in app["domains"] if not domain.startswith("*")), "localhost")
    return HealthRequest(app["health_check"]["path"], host, tuple(app["health_check"]["status"]))


def check(targets: Sequence[tuple[HealthRequest, str, str]], nginx_user: str, timeout: float) -> list[tuple[bool, str]]:
    """Send the health checks of several slots, all at once.

    :param targets: each a request, the path of a socket and its protocol
    :param timeout: seconds that each has for its answer
    :returns: for each, whether it is healthy, and what it answered or why it did not
    """
    if not targets:
        return []
    try:
        pwd.getpwnam(nginx_user)
    except KeyError:
        return [(False, f"the user {nginx_user} does not exist; correct nginx_user")] * len(targets)
    questions = [request.over(socket, protocol, timeout) for request, socket, protocol in targets]
    program, stdin = [sys.executable, "-I", "-c", ASK], json.dumps(questions).encode()
    done = _sandbox.run_own(program, nginx_user, timeout=timeout + 10, stdin=stdin)
    if done.code:
        return [(False, done.last_line)] * len(targets)
    return [judge(request, answer) for (request, _socket, _protocol), answer in zip(targets, json.loads(done.output))]


def judge(request: HealthRequest, answer: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether an answer is healthy, and what it was. Pure.

    :param answer: has an ``error`` or a ``status``
    """
    if "error" in answer:
        return False, answer["error"]
    expected = " or ".join(map(str, request.statuses))
    return answer["status"] in request.statuses, f"GET {request.path} returned {answer['status']} instead of {expected}"
