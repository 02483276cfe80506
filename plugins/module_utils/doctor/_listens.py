# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The ports and names of a site as they are written: TLS where none is expected, none where it is, and names that no site has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _logs, _reach
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit, _selection
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive

# nginx's page for HTTP on a port for HTTPS has 248 bytes, 255 with its version, and more for old browsers; that for any other
# bad request is shorter.
SENT_TO_TLS = re.compile(r'"(?:GET|HEAD|POST) /\S* HTTP/1\.[01]" 400 (?:24[5-9]|25\d|64[5-9]|65\d) ')

WRITTEN_WRONG = re.compile(r"(?:https?://)?(?P<name>[a-z0-9][\w.-]*\.[a-z0-9-]+)(?::\d+)?/?,?", re.IGNORECASE)
"""A name with what does not belong to it: a scheme, a port, a slash or a comma."""


def judge(site: Site, configuration: Configuration, mine: _reach.Addresses) -> list[Finding]:
    """Judge the ports and names of a site. It reads access logs."""
    found: list[Finding] = []
    if not site.upstreams:
        return found
    for server in site.servers:
        found += _judge_https(server, configuration)
        found += _judge_names(site, server, configuration, mine)
    return found + _judge_tls_alone(site, configuration)


def _judge_https(server: ServerBlock, configuration: Configuration) -> list[Finding]:
    """Port 443 without TLS. Pure."""
    for directive, listen in zip(_directives(server, "listen"), server.listens):
        inside = listen.host.startswith("127.") or listen.host == "::1"
        if listen.port != 443 or listen.quic or inside or _selection.is_tls(configuration.servers, listen):
            continue
        certified = any(each.name == "ssl_certificate" for each in (*server.block, *configuration.http))
        who = " ".join(server.names) or "this site"
        message = f"Port 443 of {who} speaks plain HTTP: its listen has no ssl, so browsers get an error."
        words = " ".join(("listen", *directive.arguments))
        fix = f"Obtain a certificate, name it in the server block, and add ssl to {_edit.place(directive)}."
        if certified:
            fix = (
                _edit.replace(directive.file, directive.line, words, f"{words} ssl")
                or f"Add ssl to 'listen' at {_edit.place(directive)}."
            )
        severity = BROKEN if certified else WARNING
        return [Finding(severity, "listen_not_tls", message, (f"{_edit.place(directive)}: {words}",), fix)]
    return []


def _judge_tls_alone(site: Site, configuration: Configuration) -> list[Finding]:
    """A port of its own for HTTPS, where visitors who leave out https:// get an error."""
    pairs = [(server, listen) for server in site.servers for listen in server.listens if listen.port and not listen.quic]
    if any(not _selection.is_tls(configuration.servers, listen) for _server, listen in pairs):
        return []
    for server, listen in pairs:
        directive = next(iter(_directives(server, "server_name")), None)
        pages = [each for each in (*server.block, *configuration.http) if each.name == "error_page" and "497" in each.arguments]
        if listen.port == 443 or pages or directive is None or not _reach.plain(server.names):
            continue
        url = f"http://{_reach.plain(server.names)[0]}:{listen.port}/"
        logged = [line for log in _access_logs(server, configuration) for line in _logs.tail(log).splitlines()]
        lines = [line for line in logged if SENT_TO_TLS.search(line)]
        message = (
            f"Port {listen.port} speaks TLS only: visitors of {url} get 400 (The plain HTTP request was sent to HTTPS port)."
        )
        fix = _edit.before(directive, "error_page 497 =301 https://$http_host$request_uri;")
        fix = fix or f"Add 'error_page 497 =301 https://$http_host$request_uri' before {_edit.place(directive)}."
        place = f"{listen.file}:{listen.line}"
        return [Finding(WARNING if lines else NOTE, "tls_only", message, (place, *(line[:200] for line in lines[-2:])), fix)]
    return []


def _access_logs(server: ServerBlock, configuration: Configuration) -> list[str]:
    own = [each.arguments[0] for each in server.block if each.name == "access_log" and each.arguments]
    shared = [each.arguments[0] for each in configuration.http if each.name == "access_log" and each.arguments]
    return [path for path in own or shared if path.startswith("/") and "$" not in path]


def _judge_names(site: Site, server: ServerBlock, configuration: Configuration, mine: _reach.Addresses) -> list[Finding]:
    """Names that no visitor asks for, as they are written. Pure."""
    for directive in _directives(server, "server_name"):
        for word in directive.arguments:
            match = WRITTEN_WRONG.fullmatch(word)
            if match is None or match["name"] == word:
                continue
            right = match["name"]
            ports = [(mine.of(listen), listen.port) for listen in server.listens if listen.port]
            others = [
                _selection.chosen(configuration.servers, address, port, right) for address, port in ports if address and port
            ]
            lost = any(other is not None and not any(other is each for each in site.servers) for other in others)
            message = (
                f"server_name {word} is the name of no visitor: nginx takes it as it is written, so {right} is not served here."
            )
            words = " ".join(("server_name", *directive.arguments))
            better = " ".join(("server_name", *_corrected(directive.arguments)))
            fix = (
                _edit.replace(directive.file, directive.line, words, better)
                or f"Write {right} instead, at {_edit.place(directive)}."
            )
            return [
                Finding(BROKEN if lost else WARNING, "server_name_wrong", message, (f"{_edit.place(directive)}: {words}",), fix)
            ]
    return []


def _corrected(words: Iterable[str]) -> list[str]:
    found = [(word, WRITTEN_WRONG.fullmatch(word)) for word in words]
    return list(dict.fromkeys(match["name"] if match else word for word, match in found))


def _directives(server: ServerBlock, name: str) -> Sequence[Directive]:
    return [each for each in server.block if each.name == name and each.arguments]
