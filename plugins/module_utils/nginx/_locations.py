# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The ``location`` blocks of an app. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypedDict

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import TLS, App, Static
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _upstream
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._paths import log_path

PORT_SUFFIX = "$wsgi_port_suffix"
"""The port in the visitor's URL with its colon, empty for the default port; set by a map in ``base.conf.j2``."""

# The headers of a response must fit in one buffer; nginx's default of 4 KiB is too small for many cookies or a long Location.
BUFFERS = [("buffer_size", "16k"), ("buffers", "16 16k"), ("busy_buffers_size", "32k")]

# Headers in which app servers, frameworks and middlewares look for the address, scheme, host and prefix of the original request.
# Visitors must not be able to set them. uWSGI takes the scheme from X-Forwarded-Proto and X-Forwarded-Ssl in any case.
SET = {
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-Host": f"$host{PORT_SUFFIX}",
}
REMOVED = [
    *("X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Server"),
    *("X-Forwarded-Ssl", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "Forwarded", "Proxy"),
    *("X-Script-Name", "SCRIPT_NAME", "PATH_INFO"),
]

PAGE = "/index.html"
"""The page of a single-page application."""

PREVIOUS = "/.wsgi-previous"
"""Where nginx itself looks for the static files of the release before, under the same URL below this one."""

TEXT = [
    *("text/css", "text/javascript", "text/plain", "text/xml", "image/svg+xml", "font/otf", "font/ttf"),
    *("application/javascript", "application/json", "application/manifest+json", "application/vnd.ms-fontobject"),
    *("application/wasm", "application/xml"),
]
"""The media types that are compressed, beside text/html."""

# Files in a static directory are the same for everybody, so their compression cannot give away a secret (BREACH).
COMPRESSION = [
    ("gzip", "on"),
    ("gzip_static", "on"),  # FILE.gz, if it is beside FILE
    ("gzip_vary", "on"),
    ("gzip_proxied", "any"),
    ("gzip_comp_level", "5"),
    ("gzip_min_length", "1000"),
    ("gzip_types", " ".join(TEXT)),
]

# Directives that may be repeated in a location: the user's are added to ours and do not replace them.
REPEATABLE = {"include", "proxy_set_header", "set", "uwsgi_param"}


ANSWERED_BY = "$wsgi_answered_by"
"""The variable with the app that a request has come to: an app on the same domain must not name another one's internal files."""


class Location(TypedDict):
    """A ``location`` block: ``match`` follows the word ``location``, ``lines`` are inside the block."""

    match: str
    lines: list[str]


def locations(app: App, access_log: str | None = None, kept: bool = False) -> list[Location]:
    """The locations of an app.

    :param access_log: the path of the access log, or ``off``; the app's own if not given
    :param kept: nginx keeps its connections to the app server, see ``_upstream``
    """
    logs = [("access_log", access_log or log_path(app, "access")), ("error_log", log_path(app, "error"))]
    mount = app["mount"].rstrip("/")
    found: list[Location] = [location for static in app["static"] for location in _static(app, static, logs)]
    if mount:
        # A relative redirect keeps the visitor's scheme, host and port, whatever proxy is in front of nginx.
        redirect = [*logs, ("absolute_redirect", "off"), ("return", f"308 {mount}/$is_args$args")]
        found.append({"match": f"= {mount}", "lines": lines(redirect)})
    settings = [
        *logs,
        ("client_max_body_size", app["client_max_body_size"]),
        *([("set", f"{ANSWERED_BY} {app['name']}")] if any(static["internal"] for static in app["static"]) else []),
        *_pass(app, kept),
    ]
    raw = [line for text in app["nginx_directives"] for line in text.split("\n")]
    own = directives(raw)
    settings = [(name, value) for name, value in settings if name in REPEATABLE or name not in own]
    headers = _headers(raw)
    settings = [(name, value) for name, value in settings if _header(name, value) not in headers]
    if "add_header" in own:
        settings += hsts(app["tls"])  # a location with add_header inherits none from its server block
    found.append({"match": f"{mount}/", "lines": [*lines(settings), *raw]})
    return found


def hsts(tls: TLS) -> list[tuple[str, str]]:
    """The directive for the header Strict-Transport-Security, if the app's ``tls`` has one."""
    value = f'Strict-Transport-Security "max-age={tls["hsts"]}" always'
    return [("add_header", value)] if tls["hsts"] else []


def lines(settings: Iterable[tuple[str, str]]) -> list[str]:
    """Directives as lines of a configuration file."""
    return [f"{name} {value};" for name, value in settings]


def _static(app: App, static: Static, logs: list[tuple[str, str]]) -> list[Location]:
    """The locations of a static directory: for its files, and for those of the release before, which open pages still name.

    At the root of a domain it is a single-page application: what is no file is a page of it, and index.html shows it.
    """
    url, whole = static["url"], static["url"] == "/"
    elsewhere = f"{PREVIOUS}$uri" if static["previous"] else PAGE if whole else ""
    # Of what the app protects, not everything is the same for everybody.
    compression = [] if static["internal"] else COMPRESSION
    common = [*logs, *([("log_not_found", "off")] if whole else []), *compression]
    here = [
        *common,
        *_caching(static, app["tls"]),
        *([("error_page", f"{'403 ' * whole}404 = {elsewhere}")] if elsewhere else []),
    ]
    # It names the other files, so browsers have to ask for it each time.
    fresh = lines([("expires", "off"), ("add_header", "Cache-Control no-cache"), *hsts(app["tls"])])
    page = [f"location = {PAGE} {{ {' '.join(fresh)} }}"] if whole else []
    protected = [f"if ({ANSWERED_BY} != {app['name']}) {{ return 404; }}"] if static["internal"] else []
    internal = ["internal;", *protected] if static["internal"] else []
    files = [*lines(here), *_directory(static["path"], url, _symlinks(app, static)), *page]
    found: list[Location] = [{"match": f"^~ {url}", "lines": [*internal, *files]}]
    if static["previous"]:
        # That release may not have published this directory, and then nothing in it was checked.
        symlinks = ("disable_symlinks", "on " + _quoted(f"from={app['previous']}/build/source"))
        there = [*common, *_caching(static, app["tls"]), ("try_files", f"$uri {PAGE if whole else '=404'}")]
        earlier = ["internal;", *protected, *lines(there), *_directory(static["previous"], PREVIOUS + url, symlinks)]
        found.append({"match": f"^~ {PREVIOUS}{url}", "lines": earlier})
    return found


def _symlinks(app: App, static: Static) -> tuple[str, str]:
    """The directive that says which symlinks nginx follows.

    Those above a directory of a build are root's, and those in it were checked when the build was made. What is shared is the
    app's, and with if_not_owner nginx opens what a symlink was a moment ago.
    """
    if static["shared"]:
        return "disable_symlinks", "on " + _quoted(f"from={_layout.of(app).shared}")
    return "disable_symlinks", "if_not_owner " + _quoted("from=" + static["path"].rstrip("/"))


def _caching(static: Static, tls: TLS) -> list[tuple[str, str]]:
    """The directives that tell browsers how long they may keep a file."""
    if static["max_age"] is None:
        return []
    # A location with add_header inherits none from its server block.
    immutable = [("add_header", "Cache-Control immutable"), *hsts(tls)] if static["immutable"] else []
    return [("expires", static["max_age"]), *immutable]


def _directory(path: str, url: str, symlinks: tuple[str, str]) -> list[str]:
    """The lines that serve the files of a directory."""
    # Files with a dot, such as .env or .git/config, are there by accident. Without (?s) a line break in the path would hide one.
    hidden = rf"(?s)^{re.escape(url)}(.*/)?\.(?!well-known/)"
    # Both end with a slash: with an alias for '/static', nginx would serve '/static../settings.py'.
    alias = ("alias", _quoted(f"{path.rstrip('/')}/"))
    return [*lines([alias, symlinks]), f"location ~ {_quoted(hidden)} {{ return 404; }}"]


def _pass(app: App, kept: bool) -> list[tuple[str, str]]:
    """The directives that pass a request to the app server, in its protocol.

    :param kept: by connections that nginx keeps
    """
    module = {"uwsgi": "uwsgi", "http": "proxy"}[app["protocol"]]
    timeout = f"{app['request_timeout']}s"
    settings = [("read_timeout", timeout), ("send_timeout", timeout), *BUFFERS]
    common = [(f"{module}_{name}", value) for name, value in settings]
    if module == "uwsgi":
        # Since a security update, Debian's uwsgi_params lacks the port. The last value wins.
        host = ("uwsgi_param", f"HTTP_HOST $host{PORT_SUFFIX}")
        # nginx passes on no header of which there is a parameter, and with if_not_empty no parameter that is empty.
        # It has taken a body out of its chunks, which an app that reads this header would look for.
        forwarded = {**SET, **dict.fromkeys([*REMOVED, "Transfer-Encoding"], '"" if_not_empty')}
        parameters = [("uwsgi_param", f"{_variable(name)} {value}") for name, value in forwarded.items()]
        return [*common, ("include", "uwsgi_params"), host, *parameters, ("uwsgi_pass", f"unix:{app['upstream']}")]
    # What turns a connection into a websocket, without which nginx keeps it to itself; the maps are in base.conf.j2.
    hop = {"Upgrade": "$wsgi_upgrade", "Connection": "$wsgi_kept_connection" if kept else "$wsgi_connection"}
    return [
        *common,
        ("proxy_http_version", "1.1"),  # with 1.0 an app cannot stream a response of unknown length
        ("proxy_redirect", "off"),
        ("proxy_set_header", f"Host $host{PORT_SUFFIX}"),
        # nginx passes on no header that is set to the empty string.
        *(("proxy_set_header", f"{name} {value}") for name, value in {**SET, **hop, **dict.fromkeys(REMOVED, '""')}.items()),
        # Without a URI after the socket, nginx passes the request's URI on unchanged.
        ("proxy_pass", f"http://{_upstream.name(app) if kept else 'unix:' + app['upstream']}"),
    ]


def _variable(header: str) -> str:
    """The variable in which an app finds a request header (RFC 3875, 4.1.18)."""
    return f"HTTP_{header.upper().replace('-', '_')}"


def _header(directive: str, value: str) -> str | None:
    """The variable of the request header that a directive sets, if it sets one."""
    words = value.split()
    if directive == "proxy_set_header" and words:
        return _variable(words[0])
    return words[0] if directive == "uwsgi_param" and words and words[0].startswith("HTTP_") else None


def _headers(lines: list[str]) -> set[str | None]:
    """The variables of the request headers that some lines set."""
    words = (line.split(None, 1) for line in lines)
    return {_header(*found) for found in words if len(found) == 2} - {None}


def directives(lines: Iterable[str]) -> set[str]:
    """The names of the directives in some lines, without those inside a block."""
    names, depth = set(), 0
    for line in lines:
        if depth == 0 and line.split():
            names.add(line.split()[0].rstrip(";"))
        depth += line.count("{") - line.count("}")
    return names


def _quoted(path: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._~/@+=-]+", path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
