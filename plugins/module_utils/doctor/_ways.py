# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Locations of nginx that do not lead where they are meant to: not to the app, back to nginx, or to other files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _judge_visit, _log_lines, _reach
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import then
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _edit, _routing, _selection, _syntax
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._routing import Route
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive


def judge(site: Site, configuration: Configuration, mine: _reach.Addresses) -> list[Finding]:
    """Judge the ways of a site to its app. It reads the files in which they are."""
    found: list[Finding] = []
    for server in site.servers:
        ways = _routing.routes(server.block, configuration.http)
        unused = _unused(server, ways, configuration)
        found += [unused] if unused else []
        found += [finding for way in ways for finding in _files_only(way)]
        found += [finding for way in ways for finding in _to_itself(server, way, configuration, mine)]
    return list(dict.fromkeys(found))


def _unused(server: ServerBlock, ways: Sequence[Route], configuration: Configuration) -> Finding | None:
    """A server block whose only ways to the app begin at a named location that nothing names."""
    names = [way.locations[-1].arguments[0] if way.locations and way.locations[-1].arguments else "" for way in ways]
    outer = [each for each in configuration.http if each.block is None]
    everything = [each for each in (*_syntax.walk(server.block), *outer) if each.name != "location"]
    named = {word.lstrip("=") for each in everything for word in each.arguments}
    if not names or any(not name.startswith("@") or name in named for name in names):
        return None
    place = _edit.place(ways[0].locations[-1])
    message = (
        f"No request comes to the app: location {names[0]} passes them on, but no try_files or error_page names it, so visitors "
        "get 403 or 404 from nginx."
    )
    tries = [each for each in everything if each.name == "try_files" and each.arguments[-1:] == ("=404",)]
    fix = ""
    if len(tries) == 1 and len(set(names)) == 1:
        kept = [word for word in tries[0].arguments[:-1] if not word.endswith("/")]
        old, new = " ".join(("try_files", *tries[0].arguments)), " ".join(("try_files", *(kept or ["$uri"]), names[0]))
        fix = _edit.replace(tries[0].file, tries[0].line, old, new)
    what = f"Let the try_files of 'location /' in that server block end with {names[0]}"
    return Finding(BROKEN, "location_unused", message, (place,), fix or then(what, _log_lines.RELOAD))


def _files_only(way: Route) -> Iterator[Finding]:
    """``try_files ... =404`` beside ``proxy_pass``: only paths for which there is a file come to the app."""
    block = way.locations[-1].block if way.locations else None
    for each in block or ():
        if each.name == "try_files" and each.arguments[-1:] == ("=404",) and way.directive in (block or ()):
            words = " ".join(("try_files", *each.arguments))
            message = (
                f"Only paths for which there is a file come to the app: '{words}' stands beside {way.directive.name}, and all "
                "other pages are answered with 404."
            )
            fix = _edit.replace(each.file, each.line, f"{words};", "")
            yield Finding(
                WARNING,
                "try_files_beside",
                message,
                (_edit.place(each),),
                fix or then(f"Remove '{words}' at {_edit.place(each)}", _log_lines.RELOAD),
            )


def _to_itself(server: ServerBlock, way: Route, configuration: Configuration, mine: _reach.Addresses) -> Iterator[Finding]:
    """``proxy_pass`` to a port of nginx at which the same location takes the request again."""
    passed = way.directive
    if passed.name != "proxy_pass" or "$" in passed.arguments[0] or not passed.arguments[0].startswith("http://"):
        return
    _scheme, address, base = _configuration.address_of(passed.name, passed.arguments[0])
    host, _colon, port = address.rpartition(":") if address.rpartition(":")[2].isdigit() else (address, ":", "80")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    name = _judge_visit.passed_host(way) or next(iter(_reach.plain(server.names)), "")
    if not (host.startswith("127.") or host in mine.own) or not name:
        return
    path = _routing.path(way, server.block)
    if path is None or _selection.chosen(configuration.servers, host, int(port), name) is not server:
        return
    again = _routing.located(server.block, base or path)
    if again is not None and [id(each) for each in again] == [id(each) for each in way.locations]:
        what = f"{_edit.place(passed)}: {passed.name} {passed.arguments[0]}"
        message = f"nginx passes requests to itself: {host}:{port} is its own port, and there it passes them to itself again."
        fix = then(f"Name the address of the app at {_edit.place(passed)}", _log_lines.RELOAD)
        yield Finding(BROKEN, "proxies_itself", message, (what,), fix)


def aliases(site: Site) -> list[Finding]:
    """Judge the slashes of ``alias``: what follows the path of its location is put behind it as it is."""
    found: list[Finding] = []
    for server in site.servers:
        for location in _syntax.walk(server.block):
            if location.name != "location" or not location.arguments:
                continue
            kind, path = _routing.split(location)
            for each in location.block or ():
                if each.name == "alias" and each.arguments and kind in ("", "^~") and "$" not in each.arguments[0]:
                    found += _alias(location, path, each)
    return found


def _alias(location: Directive, path: str, alias: Directive) -> Iterator[Finding]:
    directory = alias.arguments[0]
    if not os.path.isdir(directory):
        return
    if path.endswith("/") and not directory.endswith("/"):
        message = (
            f"No file in {directory} is found: location {path} ends with a slash, and its alias does not, so visitors get 404."
        )
        fix = _edit.replace(alias.file, alias.line, f"alias {directory}", f"alias {directory}/")
        what = f"Write 'alias {directory}/' at {_edit.place(alias)}"
        yield Finding(WARNING, "alias_slash", message, (_edit.place(alias),), fix or then(what, _log_lines.RELOAD))
    elif directory.endswith("/") and not path.endswith("/"):
        above = os.path.dirname(directory.rstrip("/"))
        message = (
            f"Visitors can read files in {above}, beside {directory}: location {path} does not end with a slash, and its alias "
            f"does, so that {path}../ leads there."
        )
        fix = _edit.replace(
            location.file, location.line, f"location {' '.join(location.arguments)}", f"location {' '.join(location.arguments)}/"
        )
        what = f"Write 'location {path}/' at {_edit.place(location)}"
        yield Finding(WARNING, "alias_traversal", message, (_edit.place(location),), fix or then(what, _log_lines.RELOAD))
