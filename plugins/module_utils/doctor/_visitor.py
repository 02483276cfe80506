# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Ask nginx for every site as a visitor does, and compare its answer with the app's own.

A request is made only where a stranger may make one: of the shortest path that nginx passes to an app, and if nothing guards it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _judge_visit, _logs, _reach, _redirects, _visit
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._judge_visit import Seen
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._redirects import Loop
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._together import together
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer, Visit
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _messages, _routing, _selection
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._routing import Route
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Target

NAMES, ROUTES, VISITS = 5, 8, 20
"""Names and routes of a server block that are asked for at most, and visits of a site."""

ROUNDS = 4
"""How many times the timeout all visits take at most."""

ATTEMPTS = 2
"""How many times an app that has answered a visitor is asked itself: one with a single worker may be busy with the first."""

SUSPECT = (400, 403, 404, 421)
"""Statuses of which the app is asked whether it gives them under another name, too."""

RECENT = 60
"""Seconds for which a message in nginx's log may be about a visit."""

Backends = Mapping[tuple[str, str], Backend]


@dataclass(frozen=True)
class Planned:
    """A visit to be made.

    :ivar served: the backends that the request can come to and that answer; none if they cannot be known
    :ivar uri: what the app is asked for then, "" if that cannot be told
    """

    visit: Visit
    server: ServerBlock
    route: Route
    served: tuple[Backend, ...] = ()
    uri: str = ""


@dataclass(frozen=True)
class Outcome:
    """A visit that was made.

    :ivar loop: the endless redirect that it leads to
    """

    planned: Planned
    answer: Answer
    loop: Loop | None = None


def look(
    configuration: Configuration,
    sites: Sequence[Site],
    backends: Backends,
    addresses: _reach.Addresses,
    closed: Collection[int],
    timeout: float,
) -> list[list[Finding]]:
    """Visit all sites.

    :param closed: ports that the firewall closes, perhaps for requests from this host, too
    :param timeout: seconds for each visit
    :returns: the findings of each site, in their order
    """
    plans = [plan(site, configuration, backends, addresses) for site in sites]
    calls = [partial(_visited, planned, configuration, timeout) for planned in plans]
    made = together(calls, ROUNDS * timeout)
    suspects = [[outcome for outcome in outcomes or () if _is_suspect(outcome, closed)] for outcomes in made]
    asked = _asked_directly([outcome for outcomes in suspects for outcome in outcomes], timeout)
    return [_judged(outcomes, configuration, asked) for outcomes in suspects]


def plan(site: Site, configuration: Configuration, backends: Backends, addresses: _reach.Addresses) -> list[Planned]:
    """The visits of a site: all names and all routes at the first address, one of each at the others. Pure."""
    found: list[Planned] = []
    for server in site.servers:
        ways = _ways(server, configuration, backends)
        names = _names(server)
        first = True
        for listen in server.listens:
            address = addresses.of(listen)
            if not ways or not address or listen.port is None or listen.quic:
                continue
            for name in names if first else names[:1]:
                if _selection.chosen(configuration.servers, address, listen.port, name) is not server:
                    continue  # Another one answers, see _reach.
                for route, path, served in ways if first and name == names[0] else ways[:1]:
                    visit = Visit(
                        address,
                        listen.port,
                        name,
                        path,
                        _selection.is_tls(configuration.servers, listen),
                        _selection.has_proxy_protocol(configuration.servers, listen),
                    )
                    found.append(Planned(visit, server, route, served, _uri(route, path)))
            first = False
    return found[:VISITS]


def _names(server: ServerBlock) -> list[str]:
    """The names to ask a server block for. It may have names for the host itself beside those for visitors. Pure."""
    names = _reach.plain(server.names)
    public = [name for name in names if "." in name and not re.fullmatch(r"[\d.]+", name)]
    return (public or names or ["localhost"])[:NAMES]


def _ways(server: ServerBlock, configuration: Configuration, backends: Backends) -> list[tuple[Route, str, tuple[Backend, ...]]]:
    """The ways through a server block that a stranger may take and behind which an app answers, the shortest path first."""
    found = []
    if any(word.name == "ssl_reject_handshake" and word.arguments == ("on",) for word in server.block):
        return []
    for route in _routing.routes(server.block, configuration.http):
        path = None if route.guarded else _routing.path(route, server.block)
        behind = backends_of(route, server, backends)
        if path is None or not path.isascii() or " " in path or (behind and not any(each.served for each in behind)):
            continue
        found.append((route, path, tuple(each for each in behind if each.served)))
    return sorted(found, key=lambda way: len(way[1]))[:ROUTES]


def _uri(route: Route, path: str) -> str:
    """The path that an app is asked for, "" if it cannot be told. Pure."""
    if any(each.name == "rewrite" for level in route.levels for each in level):
        return ""
    _scheme, _address, base = _configuration.address_of(route.directive.name, route.directive.arguments[0])
    located = route.locations[-1].arguments[-1] if route.locations else "/"
    if not base or "$" in base:
        return "" if base else path
    return base if located == path else ""


def backends_of(route: Route, server: ServerBlock, backends: Backends) -> list[Backend]:
    """The backends that a directive passes requests to."""
    passed = route.directive
    place = (passed.file, passed.line, _routing.PASSES[passed.name], route.location)
    same = [up for up in server.upstreams if (up.file, up.line, up.protocol, up.location) == place]
    found = [backends.get((up.address, "tls" if up.tls else up.protocol)) for up in same]
    return [backend for backend in found if backend]


def _visited(plans: Iterable[Planned], configuration: Configuration, timeout: float) -> list[Outcome]:
    """Visit a site; one visit after the other, so that no limit of nginx is exceeded."""
    found: list[Outcome] = []
    hanging: set[int] = set()
    end = time.monotonic() + (ROUNDS - 1) * timeout
    for planned in plans:
        if id(planned.route.directive) in hanging or time.monotonic() > end:
            continue
        answer = _visit.ask(planned.visit, timeout)
        if answer.error == "ETIMEDOUT":
            hanging.add(id(planned.route.directive))
        loop = _redirects.follow(planned.visit, answer, configuration.servers, lambda visit: _visit.ask(visit, timeout))
        found.append(Outcome(planned, answer, loop))
    return found


def _is_suspect(outcome: Outcome, closed: Collection[int]) -> bool:
    """Whether there may be something wrong that is not the firewall's. Pure."""
    status, error = outcome.answer.status, outcome.answer.error
    if error and outcome.planned.visit.port in closed:
        return False
    return bool(outcome.loop or error or status in SUSPECT or status >= 500)


def _asked_directly(outcomes: Sequence[Outcome], timeout: float) -> dict[tuple[str, str, str], int]:
    """What apps themselves answer to the same requests, and to those under other names: by address, path and host, the status."""
    targets: dict[tuple[str, str, str], Target] = {}
    for outcome in outcomes:
        planned, status = outcome.planned, outcome.answer.status
        backend = planned.served[0] if planned.served else None
        if not status or not planned.uri or backend is None or backend.access is None or not backend.access.status:
            continue
        name = planned.visit.name
        for host in _judge_visit.telling_hosts(planned.route, name) if status in SUSPECT else [name]:
            key = (backend.address, planned.uri, host)
            targets[key] = Target(backend.address, backend.protocol, planned.uri, host, (), backend.access.named_in)
    asked: dict[tuple[str, str, str], int] = {}
    for _attempt in range(ATTEMPTS):
        missing = {key: target for key, target in targets.items() if not asked.get(key)}
        accesses = _examine.examine(list(missing.values()), timeout=timeout)
        asked.update({key: access.status or 0 for key, access in zip(missing, accesses)})
    return asked


def _judged(
    outcomes: Sequence[Outcome], configuration: Configuration, asked: Mapping[tuple[str, str, str], int]
) -> list[Finding]:
    """The findings of a site: one for each cause, however many visits show it."""
    found: dict[tuple[str, str, int], Finding] = {}
    for outcome in outcomes:
        planned = outcome.planned
        backend = planned.served[0] if planned.served else None
        place = (backend.address, planned.uri) if backend else ()
        seen = Seen(
            planned.visit,
            outcome.answer,
            planned.route,
            planned.server,
            configuration.http,
            {key[2]: status for key, status in asked.items() if key[:2] == place},
            outcome.loop,
            _logged(planned),
            backend.server.restart if backend else "",
        )
        finding = _judge_visit.judge(seen)
        if finding:
            key = (finding.code, planned.route.directive.file, planned.route.directive.line)
            found.setdefault(key, finding)
    return list(found.values())


def _logged(planned: Planned) -> str:
    """What nginx has just logged about a visit, "" if nothing."""
    since = time.time() - RECENT
    texts = (_logs.tail(path) for path in planned.server.error_logs)
    found = (_messages.about_request(text, planned.visit.name, planned.visit.path, since) for text in texts)
    return next((text for text in found if text), "")
