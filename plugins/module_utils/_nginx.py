# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx serves: from resolved apps to the files and links of its configuration. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

DIRECTORY = "/etc/nginx"
LOG_DIRECTORY = "/var/log/nginx"
PORT_SUFFIX = "$wsgi_port_suffix"
"""The port as the visitor sees it, with its colon, or nothing; the map that sets it is in the base configuration."""

# A response header (cookies, a redirect's Location) may not be larger than one buffer, and nginx's 4 KiB are soon full.
BUFFERS = [("uwsgi_buffer_size", "16k"), ("uwsgi_buffers", "16 16k"), ("uwsgi_busy_buffers_size", "32k")]

# All names that no other server has, and none. Not a default server: there can be only one of those, so an app that is put
# back to being one would be in the way of the server that refuses unknown names.
ANY_NAME = ['""', '"~^"']

# Directives of which a location takes any number: a user's are added to ours, not put in their place.
REPEATABLE = {"include", "uwsgi_param"}


def snippet_path(app: dict[str, Any]) -> str:
    """The file with an app's locations, which the servers of its domains include."""
    return f"{DIRECTORY}/wsgi/{app['name']}.conf"


def log_path(app: dict[str, Any], kind: str) -> str:
    """An app's own log.

    :param kind: ``access`` or ``error``
    """
    return f"{LOG_DIRECTORY}/{app['name']}.{kind}.log"


def tree(
    apps: Sequence[dict[str, Any]],
    http_ports: Sequence[int] = (80,),
    ipv6: bool = True,
    default_server: bool = True,
    http_directives: Sequence[str] = (),
    user: str = "www-data",
) -> dict[str, list[Any]]:
    """The files and links of nginx's configuration and what they displace, as ``config_tree`` takes them.

    :param apps: resolved apps, see ``_apps.resolve``
    :param http_ports: the ports that every server listens on
    :param ipv6: listen on IPv6, too
    :param default_server: refuse names that no app has
    :param http_directives: lines for the http context
    :param user: the user of nginx's workers
    """
    listens = [address for port in http_ports for address in ([f"{port}", f"[::]:{port}"] if ipv6 else [f"{port}"])]
    files = [
        {
            "src": "base.conf.j2",
            "dest": f"{DIRECTORY}/conf.d/wsgi.conf",
            "vars": {
                "listens": listens,
                "refuse_unknown": default_server,
                "directives": [*_name_space(apps, http_directives), *http_directives],
            },
        }
    ]
    links = []
    for app in apps:
        files += [_log(app, kind, user) for kind in ("access", "error")]
        files.append(
            {"src": "app.conf.j2", "dest": snippet_path(app), "apps": [app["name"]], "vars": {"locations": locations(app)}}
        )
    for owner, found in _by_owner(servers(apps)).items():
        members = sorted({name for server in found for name in server["apps"]})
        site = f"{DIRECTORY}/sites-available/{owner}.conf"
        files.append({"src": "site.conf.j2", "dest": site, "apps": members, "vars": {"listens": listens, "servers": found}})
        links.append(
            {"path": f"{DIRECTORY}/sites-enabled/{owner}.conf", "target": f"../sites-available/{owner}.conf", "apps": members}
        )
    # Debian's site for a fresh installation is a default server, and there can only be one.
    displace = [f"{DIRECTORY}/sites-enabled/default"] if default_server else []
    return {"files": files, "links": links, "displace": displace}


def _log(app: dict[str, Any], kind: str, user: str) -> dict[str, Any]:
    # nginx would make it readable by everybody; Debian's own logs, and all of them once they are rotated, have this owner.
    log = {"content": "", "dest": log_path(app, kind), "mode": "0640", "owner": user, "group": "adm"}
    return {**log, "initial": True, "apps": [app["name"]]}


def servers(apps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The server blocks: the domains that have the same apps and the same canonical domain are one server.

    :returns: ``apps``: the names of its apps, the first of which owns it; ``names``: its domains; ``redirect``: the canonical
        domain, where it only redirects; ``includes``: what it includes
    """
    members: dict[str, list[dict[str, Any]]] = {}
    for app in apps:
        for domain in app["domains"] or [""]:
            members.setdefault(domain, []).append(app)
    grouped: dict[tuple[Any, ...], dict[str, Any]] = {}
    for domain, found in members.items():
        canonical = found[0]["canonical_domain"]
        redirect = canonical if domain != canonical else None
        names = [app["name"] for app in found]
        server = grouped.setdefault(
            (tuple(names), redirect),
            {"apps": names, "names": [], "redirect": redirect, "includes": [_include(app) for app in found]},
        )
        server["names"] += [domain] if domain else ANY_NAME
    return list(grouped.values())


def _name_space(apps: Sequence[dict[str, Any]], http_directives: Sequence[str]) -> list[str]:
    """nginx keeps server names in buckets of 64 bytes on most processors, and does not start with one that does not fit.

    http://nginx.org/en/docs/http/server_names.html#optimization
    """
    longest = max((len(domain) for app in apps for domain in app["domains"]), default=0)
    name = "server_names_hash_bucket_size"
    if longest <= 40 or any(name in line for line in http_directives):
        return []
    return [f"{name} {next(size for size in (128, 256, 512) if size >= longest + 24)};"]


def _by_owner(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    owners: dict[str, list[dict[str, Any]]] = {}
    for server in found:
        owners.setdefault(server["apps"][0], []).append(server)
    return owners


def _include(app: dict[str, Any]) -> str:
    # A pattern, for nginx forgives a pattern that fits nothing: an app that is left out does not take the others along.
    return snippet_path(app).replace(".conf", "[.]conf")


def locations(app: dict[str, Any]) -> list[dict[str, Any]]:
    """An app's locations, each with the lines that go into it."""
    logs = [("access_log", log_path(app, "access")), ("error_log", log_path(app, "error"))]
    mount = app["mount"].rstrip("/")
    found = [
        # Both with a slash at the end: '/static' with an alias would serve '/static../settings.py'.
        {"match": f"^~ {static['url']}", "lines": _lines([*logs, ("alias", _quoted(f"{static['path'].rstrip('/')}/"))])}
        for static in app["static"]
    ]
    if mount:
        # Relative, so that host, port and scheme stay as the visitor has them, whatever is in front of nginx.
        redirect = [*logs, ("absolute_redirect", "off"), ("return", f"308 {mount}/$is_args$args")]
        found.append({"match": f"= {mount}", "lines": _lines(redirect)})
    timeout = f"{app['request_timeout']}s"
    settings = [
        *logs,
        ("client_max_body_size", app["client_max_body_size"]),
        ("uwsgi_read_timeout", timeout),
        ("uwsgi_send_timeout", timeout),
        *BUFFERS,
        ("include", "uwsgi_params"),
        # Debian's uwsgi_params lost the port in a security update; what comes later wins.
        ("uwsgi_param", f"HTTP_HOST $host{PORT_SUFFIX}"),
        ("uwsgi_pass", f"unix:{app['live_socket']}"),
    ]
    raw = [line for text in app["nginx_directives"] for line in text.splitlines()]
    own = _directives(raw)
    settings = [(name, value) for name, value in settings if name in REPEATABLE or name not in own]
    found.append({"match": f"{mount}/", "lines": [*_lines(settings), *raw]})
    return found


def _lines(settings: list[tuple[str, str]]) -> list[str]:
    return [f"{name} {value};" for name, value in settings]


def _directives(lines: list[str]) -> set[str]:
    """The names of the directives in some lines, but not of those inside a block."""
    names, depth = set(), 0
    for line in lines:
        if depth == 0 and line.split():
            names.add(line.split()[0].rstrip(";"))
        depth += line.count("{") - line.count("}")
    return names


def _quoted(path: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._~/@+-]+", path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
