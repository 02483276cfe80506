# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The way of a request through a server block: which location takes it, and which directives apply there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive

# The directives that pass a request on, and their protocol. Source: http://nginx.org/en/docs/
PASSES = {
    "uwsgi_pass": "uwsgi",
    "proxy_pass": "http",
    "fastcgi_pass": "fastcgi",
    "scgi_pass": "scgi",
    "grpc_pass": "grpc",
    "memcached_pass": "memcached",
}

MISSING = ("(!-e", "(!-f", "(!-d")
"""The beginnings of conditions that hold without a file."""

Levels = tuple[tuple[Directive, ...], ...]
"""The directives of nested blocks, those of the outermost first."""

LITERAL = re.compile(r"\^?((?:/|[\w~-]|\\[.-])*)")
"""The beginning of a regular expression that matches itself only."""

SWITCHED = ("auth_basic", "auth_request", "auth_jwt")
"""Directives that demand a login, unless their argument is ``off``."""

CODE = ("access_by_lua", "access_by_lua_block", "access_by_lua_file", "js_access", "perl")
"""Directives whose code may refuse a request."""


@dataclass(frozen=True)
class Route:
    """A directive that passes requests on, and where it is.

    :ivar levels: of the blocks around it: http, server, locations and ``if``
    :ivar locations: the ``location`` blocks among them, the outermost first
    """

    directive: Directive
    levels: Levels
    locations: tuple[Directive, ...] = ()

    @property
    def location(self) -> str:
        """The arguments of the enclosing location, "/" if there is none."""
        return " ".join(self.locations[-1].arguments) if self.locations else "/"

    @property
    def guarded(self) -> bool:
        """Whether nginx lets only some requests pass, so that it is not for a stranger to make one."""
        return guarded(self.levels, self.locations)

    @property
    def awaited(self) -> tuple[str, ...]:
        """The files without which nginx answers itself, see ``awaited``."""
        return tuple(path for level in self.levels for path in awaited(level))

    def effective(self, name: str) -> tuple[Directive, ...]:
        """The directives of a name that apply: those of the innermost block that has any."""
        return effective(self.levels, name)


def routes(block: Sequence[Directive], http: Sequence[Directive] = ()) -> list[Route]:
    """All ways out of a server block.

    :param block: its directives
    :param http: the directives of the block around it
    """
    return list(_routes(block, (tuple(http), tuple(block)), ()))


def _routes(block: Iterable[Directive], levels: Levels, locations: tuple[Directive, ...]) -> Iterator[Route]:
    for directive in block:
        if directive.name in PASSES and directive.arguments:
            yield Route(directive, levels, locations)
        elif directive.block is not None:
            inside = (*locations, directive) if directive.name == "location" else locations
            yield from _routes(directive.block, (*levels, directive.block), inside)


def effective(levels: Levels, name: str) -> tuple[Directive, ...]:
    """The directives of a name in the innermost of nested blocks that has any: there nginx takes nothing from the outer ones."""
    for level in reversed(levels):
        found = tuple(directive for directive in level if directive.name == name)
        if found:
            return found
    return ()


def guarded(levels: Levels, locations: Sequence[Directive]) -> bool:
    """Whether nginx lets only some requests pass: by address, login, method or code, or for one exact path, often a job's."""
    # allow and deny are inherited together; the first that matches decides.
    access = next((found for level in reversed(levels) for found in [_access(level)] if found), ())
    everybody = [directive.name for directive in access if directive.arguments == ("all",)]
    if everybody[:1] == ["deny"]:
        return True
    if any(each[0].arguments[:1] != ("off",) for name in SWITCHED for each in [effective(levels, name)] if each):
        return True
    if any(effective(levels, name) for name in CODE):
        return True
    if any(each.arguments == ("on",) for each in effective(levels, "ssl_verify_client")):
        return True
    inside = [directive.name for location in locations for directive in location.block or ()]
    exact = any(kind == "=" and wanted != "/" for kind, wanted in map(split, locations))
    return exact or "internal" in inside or "limit_except" in inside


def awaited(level: Iterable[Directive]) -> Iterator[str]:
    """The files without which nginx returns an answer of its own, as with ``if (!-e /srv/staged) { return 404; }``."""
    for directive in level:
        if directive.name != "if" or len(directive.arguments) != 2:
            continue
        test, path = directive.arguments
        returns = any(each.name == "return" for each in directive.block or ())
        if test in MISSING and returns and path.startswith("/") and path.endswith(")") and "$" not in path:
            yield path[:-1]


def _access(level: Iterable[Directive]) -> list[Directive]:
    return [directive for directive in level if directive.name in ("allow", "deny")]


def path(route: Route, block: Sequence[Directive]) -> str | None:
    """The shortest path that nginx takes this way with, None if none is known.

    :param block: the directives of the server block
    """
    for candidate in _candidates(route, block):
        found = located(block, candidate)
        if found is None:
            continue
        wanted = route.locations
        if [id(each) for each in found] == [id(each) for each in wanted]:
            return candidate
        named = wanted[0].arguments[0] if len(wanted) == 1 and wanted[0].arguments else ""
        if named.startswith("@") and named in _fallbacks((tuple(block), *(each.block or () for each in found))):
            return candidate
    return None


def _candidates(route: Route, block: Sequence[Directive]) -> list[str]:
    if not route.locations:
        return ["/"]
    kind, pattern = split(route.locations[-1])
    if kind == "@":
        found = [split(directive) for directive in block if directive.name == "location"]
        return sorted({"/", *(each for sort, each in found if sort in ("", "^~") and each.startswith("/"))}, key=len)
    if kind.startswith("~"):
        beginning = LITERAL.match(pattern)
        literal = beginning[1].replace("\\", "") if beginning else ""
        return list(dict.fromkeys(["/", literal, f"{literal}/"])) if literal.startswith("/") else ["/"]
    return [pattern] if pattern.startswith("/") else []


def _fallbacks(levels: Levels) -> set[str]:
    """The named locations that a request may go on to."""
    last = [each.arguments[-1] for name in ("try_files", "error_page") for each in effective(levels, name) if each.arguments]
    return {word.lstrip("=") for word in last}


def located(block: Sequence[Directive], wanted: str) -> tuple[Directive, ...] | None:
    """The locations that a request for a path comes to, the outermost first; None if that cannot be told.

    As ngx_http_core_find_location() in nginx's src/http/ngx_http_core_module.c.
    """
    try:
        return _find(block, wanted)[0]
    except (re.error, RecursionError):
        return None


def _find(block: Sequence[Directive], wanted: str) -> tuple[tuple[Directive, ...], bool]:
    """:returns: the locations, and whether regular expressions of outer blocks are not tried any more"""
    inside = [(*split(each), each) for each in block if each.name == "location" and each.arguments]
    for kind, pattern, location in inside:
        if kind == "=" and pattern == wanted:
            return (location,), True
    prefixes = [each for each in inside if each[0] in ("", "^~") and wanted.startswith(each[1])]
    best = max(prefixes, key=lambda each: len(each[1]), default=None)
    chain: tuple[Directive, ...] = ()
    if best:
        below, final = _find(best[2].block or (), wanted)
        chain = (best[2], *below)
        if final:
            return chain, True
    if best is None or best[0] != "^~":
        for kind, pattern, location in inside:
            if kind.startswith("~") and matches(pattern, wanted, kind == "~*"):
                return (location, *_find(location.block or (), wanted)[0]), True
    return chain, False


def matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    """Whether a regular expression of nginx matches.

    :raises re.error: Python does not understand it
    """
    translated = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    return re.search(translated, text, re.IGNORECASE if ignore_case else 0) is not None


def split(location: Directive) -> tuple[str, str]:
    """The modifier of a location, ``@`` if it is a named one, and its path or pattern."""
    words = location.arguments
    if len(words) > 1:
        return words[0], words[1]
    word = words[0] if words else ""
    for modifier in ("^~", "~*", "~", "="):  # may be written without a blank
        if word.startswith(modifier):
            return modifier, word[len(modifier) :]
    return ("@", word) if word.startswith("@") else ("", word)
