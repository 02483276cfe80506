# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Redirects that lead to the same page again, as a browser follows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer, Visit
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _selection
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock

URL = re.compile(r"(?:(https?)://([^/:?#]+)(?::(\d{1,5}))?)?(/\S*)?")
"""A Location: scheme, host, port, path."""

HOPS = 6
"""Redirects that are followed at most."""

Ask = Callable[[Visit], Answer]


@dataclass(frozen=True)
class Loop:
    """An endless redirect.

    :ivar urls: the way, up to the first URL that was there before
    :ivar heeds_scheme: whether there is no redirect if the request says that the visitor came by HTTPS
    :ivar leaves: whether it leads to HTTPS, which nginx does not speak there: not even a proxy in front of it would get the page
    """

    urls: tuple[str, ...]
    heeds_scheme: bool
    leaves: bool = False


def follow(visit: Visit, answer: Answer, servers: Sequence[ServerBlock], ask: Ask) -> Loop | None:
    """Follow redirects to the same page, under any name of the host, until they end, leave it, or come back to where they were.

    :param servers: all server blocks
    """
    urls, cookies = [visit.url], dict(answer.cookies)
    for _hop in range(HOPS):
        following = leads_to(visit, answer) if 300 <= answer.status < 400 else None
        if following is None:
            return None
        new = dict(answer.cookies)  # a page may redirect to itself to see whether the visitor takes cookies
        following = replace(following, headers=_cookie_header({**cookies, **new}))
        told = replace(visit, headers=(*visit.headers, ("X-Forwarded-Proto", "https")))
        if following.url in urls and (not new or visit.headers == following.headers):
            return Loop((*urls, following.url), not 300 <= ask(told).status < 400)
        pairs = _selection.listeners(servers, visit.address, following.port)
        renamed = following.name != visit.name.lower()
        if renamed and not any(following.name in server.names for server, _listen in pairs):
            return None
        if not pairs and following.tls and following.port == 443 and not visit.tls:
            again = leads_to(told, ask(told))
            return Loop((*urls, following.url), False, True) if again and again.url == following.url else None
        if not pairs or _selection.is_tls(servers, pairs[0][1]) != following.tls:
            return None
        cookies.update(new)
        urls.append(following.url)
        visit = replace(following, proxied=_selection.has_proxy_protocol(servers, pairs[0][1]))
        answer = ask(visit)
    return None


def leads_to(visit: Visit, answer: Answer) -> Visit | None:
    """The visit that a redirect leads to, None if it is another page. The name may be another one. Pure."""
    found = URL.fullmatch(answer.location)
    if not found:
        return None
    scheme, host, port, path = found[1], found[2] or visit.name, found[3], found[4] or "/"
    if path != visit.path:
        return None
    tls = scheme == "https" if scheme else visit.tls
    number = int(port) if port else visit.port if not scheme else 443 if tls else 80
    return Visit(visit.address, number, host.lower(), path, tls)


def _cookie_header(cookies: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return (("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())),) if cookies else ()
