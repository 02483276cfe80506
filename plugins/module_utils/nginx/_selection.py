# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Which server block a request comes to, by the address that it was sent to and the name that it asks for. Pure.

Source: https://nginx.org/en/docs/http/request_processing.html and server_name of ngx_http_core_module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _routing
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Listen, ServerBlock


def chosen(servers: Sequence[ServerBlock], address: str, port: int, name: str) -> ServerBlock | None:
    """The server block that answers, None if nginx does not listen there.

    :param address: an IP address of this host
    :param name: the host name of the request, "" if it has none
    """
    listening = listeners(servers, address, port)
    blocks = [server for server, _listen in listening]
    if not blocks:
        return None
    wanted = name.lower().rstrip(".")
    best = _named(blocks, wanted) if wanted else None
    return best or next((server for server, listen in listening if listen.default), blocks[0])


def listeners(servers: Sequence[ServerBlock], address: str, port: int) -> list[tuple[ServerBlock, Listen]]:
    """The server blocks among which nginx chooses: those of that very address if there are any, else those of all addresses."""
    everything = [(server, listen) for server in servers for listen in server.listens if listen.port == port and not listen.quic]
    hosts = [listen.host for _server, listen in everything]
    wanted = address if address in hosts else _wildcard(address, everything)
    return [pair for pair, found in zip(everything, hosts) if found == wanted]


def _wildcard(address: str, everything: Iterable[tuple[ServerBlock, Listen]]) -> str:
    if ":" in address:
        return "::"
    found = {listen.host for _server, listen in everything}
    both = any(listen.host == "::" and "ipv6only=off" in listen.options for _server, listen in everything)
    return "::" if both and "*" not in found else "*"


def is_tls(servers: Iterable[ServerBlock], listen: Listen) -> bool:
    """Whether a port speaks TLS: it does for all server blocks if it does for one."""
    return any(each.tls and each.address == listen.address for server in servers for each in server.listens)


def has_proxy_protocol(servers: Iterable[ServerBlock], listen: Listen) -> bool:
    """Whether connections to a port have to begin with the address of the visitor; all have to if one ``listen`` says so."""
    same = (each for server in servers for each in server.listens if each.address == listen.address)
    return any("proxy_protocol" in each.options for each in same)


def _named(blocks: Sequence[ServerBlock], wanted: str) -> ServerBlock | None:
    names = [(server, name.lower()) for server, name in _as_written(blocks)]
    for server, name in names:
        if name == wanted or (name.startswith(".") and name[1:] == wanted):
            return server
    leading = [(name.lstrip("*"), server) for server, name in names if re.match(r"\*?\.", name)]
    found = max((each for each in leading if wanted.endswith(each[0])), key=lambda each: len(each[0]), default=None)
    if found:
        return found[1]
    trailing = [(name[:-1], server) for server, name in names if name.endswith(".*")]
    found = max((each for each in trailing if wanted.startswith(each[0])), key=lambda each: len(each[0]), default=None)
    if found:
        return found[1]
    patterns = ((server, name[1:]) for server, name in _as_written(blocks) if name.startswith("~"))
    return next((server for server, pattern in patterns if _matches(pattern, wanted)), None)


def _as_written(blocks: Sequence[ServerBlock]) -> list[tuple[ServerBlock, str]]:
    return [(server, name) for server in blocks for name in server.names]


def _matches(pattern: str, wanted: str) -> bool:
    try:
        return _routing.matches(pattern, wanted, ignore_case=True)
    except (re.error, RecursionError):
        return False
