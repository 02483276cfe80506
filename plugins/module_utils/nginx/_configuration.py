# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole configuration of an nginx, whoever wrote it: which servers it has, and where requests leave it.

``nginx -T`` prints every file once, behind a line with its path, and leaves the directives ``include`` as they are; they are
followed here. It prints nothing of a configuration that does not pass its test: that is read from the disk in the same form.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run

PROGRAM = "nginx"
MAIN = "/etc/nginx/nginx.conf"
TIMEOUT = 20  # seconds
MASTER = "nginx: master process "

# http://nginx.org/en/docs/: the directives that pass a request on, and what is spoken then.
PASSES = {
    "uwsgi_pass": "uwsgi",
    "proxy_pass": "http",
    "fastcgi_pass": "fastcgi",
    "scgi_pass": "scgi",
    "grpc_pass": "grpc",
    "memcached_pass": "memcached",
}
PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}

FILE = re.compile(r"^# configuration file (/.*):$", re.MULTILINE)


@dataclass(frozen=True)
class Directive:
    """A directive with its words, and those inside its block if it has one."""

    name: str
    words: tuple[str, ...]
    file: str
    line: int
    block: tuple[Directive, ...] | None = None


@dataclass(frozen=True)
class Listen:
    """Where a server listens.

    :ivar address: ``*:80``, ``127.0.0.1:8080``, ``[::]:443`` or ``unix:/path``
    :ivar backlog: the listen queue that is asked for, 0 if nothing is said
    """

    address: str
    tls: bool = False
    default: bool = False
    backlog: int = 0
    file: str = ""
    line: int = 0

    @property
    def port(self) -> int | None:
        """The TCP port, nothing of a unix socket."""
        port = self.address.rpartition(":")[2]
        return int(port) if port.isdigit() and not self.address.startswith("unix:") else None


@dataclass(frozen=True)
class Upstream:
    """A place where requests leave nginx.

    :ivar address: ``unix:/path`` or ``host:port``; as it is written if nginx only finds out with the request, see ``variable``
    :ivar protocol: ``uwsgi``, ``http``, ``fastcgi``, ``scgi``, ``grpc`` or ``memcached``
    :ivar file: the file of the directive that passes the request on, ``line`` its line
    :ivar names: the names of the server around it
    :ivar location: the words of the location around it, "/" without one
    :ivar tls: whether nginx speaks TLS to it
    :ivar group: the name of the ``upstream`` block that it is a server of
    :ivar backup: whether it is asked only when the others of its group do not answer
    :ivar base: the path of the URL that requests are passed to, in place of the location's; "" if theirs stays
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
        """A path that the server here is asked for, as far as one can be told from the words of the location."""
        if self.base and "$" not in self.base:
            return self.base
        words = self.location.split()
        if len(words) > 1 and words[0].startswith("~"):
            return "/"
        return words[-1] if words and words[-1].startswith("/") else "/"


@dataclass(frozen=True)
class Server:
    """A server of the http context.

    :ivar names: as written, () without server_name
    :ivar certificates: pairs of the files of a certificate and of its key, from the http context if it has none itself
    :ivar locations: the words of each location
    :ivar error_logs: the files that its errors go to, those of its locations among them
    """

    names: tuple[str, ...] = ()
    listens: tuple[Listen, ...] = ()
    certificates: tuple[tuple[str, str], ...] = ()
    file: str = ""
    line: int = 0
    locations: tuple[str, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    error_logs: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        """Whether any of its ports speaks TLS."""
        return any(listen.tls for listen in self.listens)


@dataclass(frozen=True)
class Configuration:
    """What an nginx is told.

    :ivar servers: in the order that nginx reads them
    :ivar upstreams: of all servers, one for each directive and each server of its group
    :ivar files: the configuration's own files
    :ivar user: the user of the workers, "" if it is not said
    :ivar pid: the file with the process id of a running nginx, "" if it is not said
    :ivar error_logs: those of the main and http contexts
    :ivar logs: all files that nginx opens for logging
    """

    servers: tuple[Server, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    files: tuple[str, ...] = ()
    user: str = ""
    pid: str = ""
    error_logs: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()


def installed() -> bool:
    """Whether there is an nginx on this host."""
    return run([*command(), "-v"], timeout=TIMEOUT).code == 0


def command(command_lines: Mapping[int, Sequence[str]] | None = None) -> list[str]:
    """How the running nginx was called, as far as it says where its configuration is; the plain name if none runs. Pure.

    :param command_lines: see ``host._processes.command_lines``, which is asked without it
    """
    lines = _processes.command_lines() if command_lines is None else command_lines
    title = next((" ".join(words) for _pid, words in sorted(lines.items()) if words[0].startswith(MASTER)), "")
    words = title[len(MASTER) :].split()
    found = [PROGRAM if not words or not words[0].startswith("/") else words[0]]
    for option, value in zip(words, words[1:]):
        if option in ("-c", "-p"):
            found += [option, value]
    return found


def test() -> Completed:
    """Have nginx test its configuration and print it, and leave nothing behind that the test makes.

    With nginx stopped, the test makes an empty file for its process id, with which a reload fails later; and it makes the
    log files that are not there yet.
    """
    called = command()
    main = called[called.index("-c") + 1] if "-c" in called else MAIN
    configuration = parse(from_disk(main))
    fresh = [path for path in [configuration.pid or "/run/nginx.pid", *configuration.logs] if not os.path.exists(path)]
    tested = run([*called, "-T"], timeout=TIMEOUT)
    for path in fresh:
        with contextlib.suppress(OSError):
            if os.path.getsize(path) == 0:
                os.unlink(path)
    return tested


def dump() -> str:
    """The configuration as ``nginx -T`` prints it, also if it does not pass the test.

    :raises StackError: there is no nginx
    """
    tested = test()
    if tested.code == 127:
        raise StackError("nginx", "there is no nginx on this host; install the package nginx, or name the sockets.")
    return dumped(tested)


def dumped(tested: Completed) -> str:
    """The text of a configuration that was tested: what nginx prints, or what is on the disk if it prints nothing."""
    if tested.code == 0:
        return tested.output
    words = tested.argv
    return from_disk(words[words.index("-c") + 1] if "-c" in words else MAIN)


def from_disk(main: str = MAIN) -> str:
    """The files of a configuration, in the form of ``nginx -T``."""
    found: dict[str, str] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop(0)
        if path in found or not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                found[path] = stream.read()
        except OSError:
            continue
        for directive in _flat(_directives(found[path], path)):
            if directive.name == "include" and directive.words:
                pattern = os.path.join(os.path.dirname(main), directive.words[0])
                waiting += sorted(glob.glob(pattern))
    return "".join(f"# configuration file {path}:\n{text}\n" for path, text in found.items())


def parse(text: str) -> Configuration:
    """A configuration from what ``nginx -T`` prints. Pure; what cannot be understood is passed over."""
    files = _files(text)
    if not files:
        return Configuration()
    main = next(iter(files))
    tree = _included(_directives(files[main], main), files, os.path.dirname(main), (main,))
    http = [inside for directive in tree if directive.name == "http" for inside in directive.block or ()]
    groups = {directive.words[0]: directive.block or () for directive in http if directive.name == "upstream" and directive.words}
    outside = _Scope(_certificates(http), _logs(http) or _logs(tree))
    servers = tuple(_server(directive, groups, outside) for directive in http if directive.name == "server")
    return Configuration(
        servers=servers,
        upstreams=tuple(upstream for server in servers for upstream in server.upstreams),
        files=tuple(files),
        user=_first(tree, "user"),
        pid=_first(tree, "pid"),
        error_logs=tuple(dict.fromkeys([*_logs(tree), *_logs(http)])),
        logs=tuple(dict.fromkeys(_logs(_flat(tree), ("error_log", "access_log")))),
    )


@dataclass(frozen=True)
class _Scope:
    """What a server has from the http context unless it says otherwise."""

    certificates: tuple[tuple[str, str], ...]
    error_logs: tuple[str, ...]


@dataclass
class _Reader:
    """Text on its way to tokens, as ngx_conf_read_token (nginx, src/core/ngx_conf_file.c) reads it."""

    text: str
    position: int = 0
    line: int = 1

    def token(self) -> tuple[str, str, int] | None:
        """The next token: its kind (``word``, ``;``, ``{``, ``}``), its text, its line; nothing at the end."""
        self._skip_blanks()
        if self.position >= len(self.text):
            return None
        character, line = self.text[self.position], self.line
        if character in ";{}":
            self.position += 1
            return character, character, line
        if character in "\"'":
            return "word", self._quoted(character), line
        return "word", self._bare(), line

    def skip_code(self) -> None:
        """Pass over a block of Lua, whose opening brace has been read; its strings and comments may have braces in them."""
        depth = 1
        strings = re.compile(
            r"--\[(=*)\[.*?\]\1\]|--[^\n]*|\[(=*)\[.*?\]\2\]|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[{}]", re.DOTALL
        )
        for match in strings.finditer(self.text, self.position):
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            if depth == 0:
                self._advance(match.end())
                return
        self._advance(len(self.text))

    def _skip_blanks(self) -> None:
        match = re.compile(r"(?:\s|#[^\n]*)*").match(self.text, self.position)
        self._advance(match.end() if match else self.position)

    def _advance(self, position: int) -> None:
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def _quoted(self, quote: str) -> str:
        match = re.compile(rf"{quote}((?:\\.|[^{quote}\\])*){quote}?", re.DOTALL).match(self.text, self.position)
        self._advance(match.end() if match else len(self.text))
        return _unescaped(match[1] if match else "")

    def _bare(self) -> str:
        match = re.compile(r"(?:\\.|\$\{|[^\s;{\\])+|\\", re.DOTALL).match(self.text, self.position)
        self._advance(match.end() if match else self.position + 1)
        return _unescaped(match[0] if match else "")


def _unescaped(text: str) -> str:
    ends = {"t": "\t", "r": "\r", "n": "\n"}
    return re.sub(r"\\([\"'\\trn])", lambda match: ends.get(match[1], match[1]), text)


def _files(text: str) -> dict[str, str]:
    """The text of each file, by its path, in the order of the dump."""
    parts = FILE.split(text)[1:]
    found: dict[str, str] = {}
    for path, content in zip(parts[::2], parts[1::2]):
        found.setdefault(path, content[1:])  # without the line end behind the path
    return found


def _directives(text: str, path: str) -> tuple[Directive, ...]:
    reader = _Reader(text)
    found: list[Directive] = []
    while reader.position < len(text):
        found += _block(reader, path)  # one closing brace too many ends nothing here
    return tuple(found)


def _block(reader: _Reader, path: str) -> list[Directive]:
    found: list[Directive] = []
    words: list[str] = []
    start = 0
    while True:
        token = reader.token()
        if token is None:
            return found
        kind, text, line = token
        if kind == "word":
            start = start if words else line
            words.append(text)
        elif kind == ";":
            if words:
                found.append(Directive(words[0], tuple(words[1:]), path, start))
            words = []
        elif kind == "{":
            name = words[0] if words else ""
            if name.endswith("_by_lua_block"):
                reader.skip_code()
                inside: list[Directive] = []
            else:
                inside = _block(reader, path)
            found.append(Directive(name, tuple(words[1:]), path, start or line, tuple(inside)))
            words = []
        else:
            return found


def _included(
    directives: Iterable[Directive], files: Mapping[str, str], prefix: str, around: tuple[str, ...] = ()
) -> tuple[Directive, ...]:
    """Directives with those of included files in their place, but for a file that includes itself."""
    found: list[Directive] = []
    for directive in directives:
        if directive.name == "include" and directive.words:
            for path in _matching(os.path.join(prefix, directive.words[0]), files):
                if path not in around:
                    found += _included(_directives(files[path], path), files, prefix, (*around, path))
        elif directive.block is not None:
            found.append(replace(directive, block=_included(directive.block, files, prefix, around)))
        else:
            found.append(directive)
    return tuple(found)


def _matching(pattern: str, files: Iterable[str]) -> list[str]:
    """The paths that a pattern of glob(7) fits, in which a star stands for no slash, and not for a dot in front."""
    parts = pattern.split("/")
    found = []
    for path in files:
        names = path.split("/")
        fits = len(names) == len(parts) and all(
            fnmatch.fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
            for name, part in zip(names, parts)
        )
        if path == pattern or fits:
            found.append(path)
    return sorted(found)


def _flat(directives: Iterable[Directive]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        yield from _flat(directive.block or ())


def _first(directives: Iterable[Directive], name: str) -> str:
    return next((directive.words[0] for directive in directives if directive.name == name and directive.words), "")


def _logs(directives: Iterable[Directive], names: Sequence[str] = ("error_log",)) -> tuple[str, ...]:
    """The files that some directives log to; not syslog, not the standard error, not none."""
    words = (directive.words[0] for directive in directives if directive.name in names and directive.words)
    return tuple(dict.fromkeys(word for word in words if word.startswith("/") and word != "/dev/null" and "$" not in word))


def _certificates(directives: Iterable[Directive]) -> tuple[tuple[str, str], ...]:
    found: dict[str, list[str]] = {"ssl_certificate": [], "ssl_certificate_key": []}
    for directive in directives:
        if directive.name in found and directive.words:
            found[directive.name].append(directive.words[0])
    return tuple(zip(found["ssl_certificate"], found["ssl_certificate_key"]))


def _server(directive: Directive, groups: Mapping[str, tuple[Directive, ...]], outside: _Scope) -> Server:
    inside = directive.block or ()
    names = tuple(name for found in inside if found.name == "server_name" for name in found.words)
    tls = any(found.name == "ssl" and found.words == ("on",) for found in inside)
    listens = tuple(_listen(found, tls) for found in inside if found.name == "listen" and found.words)
    default = Listen("*:80", tls, file=directive.file, line=directive.line)
    locations = tuple(" ".join(found.words) for found in _flat(inside) if found.name == "location")
    server = Server(names, listens or (default,), (), directive.file, directive.line, locations)
    own = _logs(inside)
    return replace(
        server,
        certificates=_certificates(inside) or (outside.certificates if server.tls else ()),
        upstreams=tuple(_upstreams(inside, "/", server, groups)),
        error_logs=tuple(dict.fromkeys([*(own or outside.error_logs), *_logs(_flat(inside))])),
    )


def _listen(directive: Directive, tls: bool) -> Listen:
    address, *options = directive.words
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
    )


def _upstreams(
    directives: Iterable[Directive], location: str, server: Server, groups: Mapping[str, tuple[Directive, ...]]
) -> Iterator[Upstream]:
    for directive in directives:
        if directive.name in PASSES and directive.words:
            yield from _targets(directive, location, server, groups)
        elif directive.block is not None:
            inner = " ".join(directive.words) if directive.name == "location" else location
            yield from _upstreams(directive.block, inner, server, groups)


def _targets(
    directive: Directive, location: str, server: Server, groups: Mapping[str, tuple[Directive, ...]]
) -> Iterator[Upstream]:
    scheme, address, base = _address(directive.name, directive.words[0])
    upstream = Upstream(
        address=address,
        protocol=PASSES[directive.name],
        file=directive.file,
        line=directive.line,
        names=server.names,
        location=location,
        tls=scheme in ("https", "grpcs", "suwsgi"),
        base=base,
    )
    if address not in groups:
        yield upstream if upstream.variable else replace(upstream, address=_with_port(address, PORTS.get(scheme)))
        return
    for member in groups[address]:
        if member.name == "server" and member.words and "down" not in member.words:
            yield replace(upstream, address=_with_port(member.words[0], 80), group=address, backup="backup" in member.words[1:])


def _address(name: str, word: str) -> tuple[str, str, str]:
    """The scheme, the address and the path in what a directive passes to."""
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
