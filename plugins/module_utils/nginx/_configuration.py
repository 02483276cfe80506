# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""An nginx configuration, of any origin: its server blocks and the upstreams that requests are passed to. Pure.

``nginx -T`` prints every file once, after a line with its path, and does not resolve ``include``. That is done here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _routing, _syntax
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._routing import PASSES
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive

PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}


@dataclass(frozen=True)
class Listen:
    """Where a server listens.

    :ivar address: ``*:80``, ``127.0.0.1:8080``, ``[::]:443`` or ``unix:/path``
    :ivar backlog: the length of the listen queue, 0 if not set
    :ivar options: what follows the address
    """

    address: str
    tls: bool = False
    default: bool = False
    backlog: int = 0
    file: str = ""
    line: int = 0
    options: tuple[str, ...] = ()

    @property
    def quic(self) -> bool:
        """Whether it is for HTTP/3, by UDP."""
        return "quic" in self.options

    @cached_property
    def host(self) -> str:
        """The address without its port: ``*`` and ``::`` are all of IPv4 and of IPv6."""
        found = self.address.rpartition(":")[0].strip("[]")
        return {"0.0.0.0": "*", "localhost": "127.0.0.1"}.get(found, found)

    @cached_property
    def port(self) -> int | None:
        """The TCP port, None for a unix socket."""
        port = self.address.rpartition(":")[2]
        return int(port) if port.isdigit() and not self.address.startswith("unix:") else None


@dataclass(frozen=True)
class Upstream:
    """An address that nginx passes requests to.

    :ivar address: ``unix:/path`` or ``host:port``; as written if it depends on the request, see ``variable``
    :ivar protocol: ``uwsgi``, ``http``, ``fastcgi``, ``scgi``, ``grpc`` or ``memcached``
    :ivar file: the file of the directive, ``line`` its line
    :ivar names: the names of the enclosing server block
    :ivar location: the arguments of the enclosing location, "/" if there is none
    :ivar tls: whether nginx connects by TLS
    :ivar group: the name of its ``upstream`` block
    :ivar backup: whether it is only used when the other servers of its group are unavailable
    :ivar base: the path that replaces the location's in requests, "" if it stays
    :ivar guarded: whether nginx lets only some requests pass, see ``_routing.guarded``
    :ivar awaited: the files without which nginx passes none, see ``_routing.awaited``
    """

    address: str
    protocol: str
    file: str
    line: int
    names: tuple[str, ...] = ()
    location: str = "/"
    tls: bool = False
    group: str = ""
    backup: bool = False
    base: str = ""
    guarded: bool = False
    awaited: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether nginx passes no request on at present, such as while no release is staged."""
        return not all(map(os.path.exists, self.awaited))

    @property
    def variable(self) -> bool:
        """Whether the address depends on the request."""
        return "$" in self.address

    @property
    def path(self) -> str:
        """The path of a unix socket, "" of anything else."""
        return self.address[len("unix:") :] if self.address.startswith("unix:") else ""

    @property
    def uri(self) -> str:
        """A path that this upstream gets requests for, as far as the location tells."""
        if self.base and "$" not in self.base:
            return self.base
        words = self.location.split()
        if len(words) > 1 and words[0].startswith("~"):
            return "/"
        return words[-1] if words and words[-1].startswith("/") else "/"


@dataclass(frozen=True)
class ServerBlock:
    """A ``server`` block of the http context.

    :ivar names: as written; () without server_name
    :ivar certificates: pairs of certificate file and key file, inherited from the http context if it has none
    :ivar locations: the arguments of each location
    :ivar error_logs: its error logs, including those of its locations
    :ivar block: the directives in it
    """

    names: tuple[str, ...] = ()
    listens: tuple[Listen, ...] = ()
    certificates: tuple[tuple[str, str], ...] = ()
    file: str = ""
    line: int = 0
    locations: tuple[str, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    error_logs: tuple[str, ...] = ()
    block: tuple[Directive, ...] = field(default=(), repr=False, compare=False)

    @property
    def tls(self) -> bool:
        """Whether any of its ports speaks TLS."""
        return any(listen.tls for listen in self.listens)


@dataclass(frozen=True)
class Configuration:
    """What the rest of the collection needs to know of a configuration.

    :ivar servers: the server blocks, in the order in which nginx reads them
    :ivar upstreams: those of all server blocks, one for each directive and each server of its group
    :ivar files: the files of the configuration
    :ivar user: the user of the workers, "" if not set
    :ivar pid: the pid file, "" if not set
    :ivar error_logs: those of the main and http contexts
    :ivar logs: all log files that nginx opens
    :ivar http: the directives of the http context
    :ivar includes: the patterns of the files that the main file includes in the http context
    """

    servers: tuple[ServerBlock, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    files: tuple[str, ...] = ()
    user: str = ""
    pid: str = ""
    error_logs: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    http: tuple[Directive, ...] = field(default=(), repr=False, compare=False)
    includes: tuple[str, ...] = ()


def parse(text: str) -> Configuration:
    """Parse the output of ``nginx -T``. What cannot be understood is skipped."""
    files = _syntax.split_dump(text)
    if not files:
        return Configuration()
    main = next(iter(files))
    written = _syntax.parse(files[main], main)
    tree = _syntax.expand_includes(written, files, os.path.dirname(main), (main,))
    http = [inside for directive in tree if directive.name == "http" for inside in directive.block or ()]
    groups = {
        directive.arguments[0]: directive.block or ()
        for directive in http
        if directive.name == "upstream" and directive.arguments
    }
    outside = _Scope(_certificates(http), _logs(http) or _logs(tree), tuple(http))
    servers = tuple(_server(directive, groups, outside) for directive in http if directive.name == "server")
    return Configuration(
        servers=servers,
        upstreams=tuple(upstream for server in servers for upstream in server.upstreams),
        files=tuple(files),
        user=_syntax.first_argument(tree, "user"),
        pid=_syntax.first_argument(tree, "pid"),
        error_logs=tuple(dict.fromkeys([*_logs(tree), *_logs(http)])),
        logs=tuple(dict.fromkeys(_logs(_syntax.walk(tree), ("error_log", "access_log")))),
        http=tuple(http),
        includes=tuple(
            each.arguments[0]
            for directive in written
            if directive.name == "http"
            for each in directive.block or ()
            if each.name == "include" and each.arguments and "*" in each.arguments[0]
        ),
    )


@dataclass(frozen=True)
class _Scope:
    """What a server block inherits from the http context."""

    certificates: tuple[tuple[str, str], ...]
    error_logs: tuple[str, ...]
    http: tuple[Directive, ...]


def _logs(directives: Iterable[Directive], names: Sequence[str] = ("error_log",)) -> tuple[str, ...]:
    """The log files that some directives name: no syslog, no stderr, not ``off``."""
    words = (directive.arguments[0] for directive in directives if directive.name in names and directive.arguments)
    return tuple(dict.fromkeys(word for word in words if word.startswith("/") and word != "/dev/null" and "$" not in word))


def _certificates(directives: Iterable[Directive]) -> tuple[tuple[str, str], ...]:
    found: dict[str, list[str]] = {"ssl_certificate": [], "ssl_certificate_key": []}
    for directive in directives:
        if directive.name in found and directive.arguments:
            found[directive.name].append(directive.arguments[0])
    return tuple(zip(found["ssl_certificate"], found["ssl_certificate_key"]))


def _server(directive: Directive, groups: Mapping[str, tuple[Directive, ...]], outside: _Scope) -> ServerBlock:
    inside = directive.block or ()
    names = tuple(name for found in inside if found.name == "server_name" for name in found.arguments)
    tls = any(found.name == "ssl" and found.arguments == ("on",) for found in inside)
    listens = tuple(_listen(found, tls) for found in inside if found.name == "listen" and found.arguments)
    default = Listen("*:80", tls, file=directive.file, line=directive.line)
    locations = tuple(" ".join(found.arguments) for found in _syntax.walk(inside) if found.name == "location")
    server = ServerBlock(names, listens or (default,), (), directive.file, directive.line, locations, block=inside)
    own = _logs(inside)
    return replace(
        server,
        certificates=_certificates(inside) or (outside.certificates if server.tls else ()),
        upstreams=tuple(_upstreams(server, groups, outside.http)),
        error_logs=tuple(dict.fromkeys([*(own or outside.error_logs), *_logs(_syntax.walk(inside))])),
    )


def _listen(directive: Directive, tls: bool) -> Listen:
    address, *options = directive.arguments
    if not address.startswith("unix:"):
        if address.isdigit():
            address = f"*:{address}"
        elif not re.search(r":\d+$", address):
            address = f"{address}:80"
    return Listen(
        address,
        tls or bool({"ssl", "quic"} & set(options)),
        bool({"default", "default_server"} & set(options)),
        next((int(option[8:]) for option in options if re.fullmatch(r"backlog=\d+", option)), 0),
        directive.file,
        directive.line,
        tuple(options),
    )


def _upstreams(server: ServerBlock, groups: Mapping[str, tuple[Directive, ...]], http: Sequence[Directive]) -> Iterator[Upstream]:
    for route in _routing.routes(server.block, http):
        yield from _targets(route, server, groups)


def _targets(route: _routing.Route, server: ServerBlock, groups: Mapping[str, tuple[Directive, ...]]) -> Iterator[Upstream]:
    directive = route.directive
    scheme, address, base = address_of(directive.name, directive.arguments[0])
    upstream = Upstream(
        address=address,
        protocol=PASSES[directive.name],
        file=directive.file,
        line=directive.line,
        names=server.names,
        location=route.location,
        tls=scheme in ("https", "grpcs", "suwsgi"),
        base=base,
        guarded=route.guarded,
        awaited=route.awaited,
    )
    if address not in groups:
        yield upstream if upstream.variable else replace(upstream, address=_with_port(address, PORTS.get(scheme)))
        return
    for member in groups[address]:
        if member.name == "server" and member.arguments and "down" not in member.arguments:
            yield replace(
                upstream, address=_with_port(member.arguments[0], 80), group=address, backup="backup" in member.arguments[1:]
            )


def address_of(name: str, word: str) -> tuple[str, str, str]:
    """Split the argument of a ``*_pass`` directive into scheme, address and path."""
    scheme, separator, rest = word.partition("://")
    if not separator or word.startswith("unix:"):
        return "", word, ""
    if name == "uwsgi_pass":
        return scheme, rest, ""
    if rest.startswith("unix:"):
        path, _colon, base = rest[len("unix:") :].partition(":")
        return scheme, f"unix:{path}", base
    address, slash, path = rest.partition("/")
    return scheme, address, slash + path


def _with_port(address: str, port: int | None) -> str:
    if address.startswith("unix:") or port is None or re.search(r":\d+$", address):
        return address
    return f"{address}:{port}"
