# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx serves: from resolved apps to the files and links of its configuration. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _tls
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _sites

DIRECTORY = "/etc/nginx"
LOG_DIRECTORY = "/var/log/nginx"
PORT_SUFFIX = "$wsgi_port_suffix"
"""The port as the visitor sees it, with its colon, or nothing; the map that sets it is in the base configuration."""

# A response header (cookies, a redirect's Location) may not be larger than one buffer, and nginx's 4 KiB are soon full.
BUFFERS = [("buffer_size", "16k"), ("buffers", "16 16k"), ("busy_buffers_size", "32k")]

# Headers by which a proxy tells an app server what the visitor asked for. Those that are empty are not sent, so that nobody but
# nginx sets any of them: a visitor could make up an address, a scheme, a host or a prefix.
FORWARDED = {
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-Host": f"$host{PORT_SUFFIX}",
    **dict.fromkeys(["X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Protocol", "X-Forwarded-Ssl"], '""'),
    **dict.fromkeys(["X-Script-Name", "SCRIPT_NAME", "PATH_INFO", "Forwarded", "Proxy"], '""'),
}

# All names that no other server has, and none. Not a default server: there can be only one of those, so an app that is put
# back to being one would be in the way of the server that refuses unknown names.
ANY_NAME = ['""', '"~^"']

# What an ACME server asks for, of whatever name, before and after that has a certificate.
CHALLENGES = {
    "match": f"^~ {_sites.CHALLENGE}",
    "lines": [f"root {_sites.WEBROOT};", "default_type text/plain;"],
}

# Directives of which a location takes any number: a user's are added to ours, not put in their place.
REPEATABLE = {"include", "proxy_set_header", "uwsgi_param"}


def snippet_path(app: dict[str, Any]) -> str:
    """The file with an app's locations, which the servers of its domains include."""
    return f"{DIRECTORY}/wsgi/{app['name']}.conf"


def log_path(app: dict[str, Any], kind: str) -> str:
    """An app's own log.

    :param kind: ``access`` or ``error``
    """
    return f"{LOG_DIRECTORY}/{app['name']}.{kind}.log"


@dataclass(frozen=True)
class Settings:
    """What nginx's configuration depends on besides the apps.

    :ivar http_ports: the ports for HTTP that every server listens on
    :ivar ipv6: listen on IPv6, too
    :ivar default_server: refuse names that no app has
    :ivar http_directives: lines for the http context
    :ivar user: the user of nginx's workers
    :ivar versions: of ``nginx`` and its ``openssl`` on the host, such as ``1.22.1``; what is not there counts as new enough for
        all that only needs a new nginx
    :ivar stapled: the sites whose certificate has somebody who answers for it by OCSP
    """

    http_ports: Sequence[int] = (80,)
    ipv6: bool = True
    default_server: bool = True
    http_directives: Sequence[str] = ()
    user: str = "www-data"
    versions: Mapping[str, str] = field(default_factory=dict)
    stapled: Sequence[str] = ()

    def listens(self, ports: Iterable[int], words: str = "") -> list[str]:
        """The values of ``listen`` for some ports."""
        return [f"{address}{port}{words}" for port in ports for address in (("", "[::]:") if self.ipv6 else ("",))]

    def secure(self, port: int) -> list[str]:
        """The values of ``listen`` for TLS."""
        return self.listens([port], " ssl" if self.http2 else " ssl http2")

    @property
    def http2(self) -> bool:
        """Whether HTTP/2 is a directive, and no word of ``listen``."""
        return _tls.has(_tls.HTTP2_DIRECTIVE, self.versions.get("nginx"))

    @property
    def rejects(self) -> bool:
        """Whether a server can refuse a name without a certificate."""
        return _tls.has(_tls.REJECT_HANDSHAKE, self.versions.get("nginx"))

    def protocol(self, profile: str) -> list[tuple[str, str]]:
        """The directives for TLS that do not depend on the site."""
        return _tls.settings(profile, self.versions.get("openssl"))


def tree(apps: Sequence[dict[str, Any]], **given: Any) -> dict[str, list[Any]]:
    """The files and links of nginx's configuration and what they displace, as ``config_tree`` takes them.

    :param apps: resolved apps, see ``apps._resolve.resolve``
    :param given: see ``Settings``
    :returns: beside ``files``, ``links`` and ``displace`` the ``ports`` that visitors come to, and ``certificates``: the paths
        that the files name
    """
    settings = Settings(**given)
    sites = _sites.sites(apps)
    files = [
        {
            "src": "base.conf.j2",
            "dest": f"{DIRECTORY}/conf.d/wsgi.conf",
            "vars": {
                "directives": [*_name_space(apps, settings.http_directives), *settings.http_directives],
                "servers": _defaults(apps, sites, settings) if settings.default_server else [],
            },
        }
    ]
    links = []
    for app in apps:
        files += [_log(app, kind, settings.user) for kind in ("access", "error")]
        files.append(
            {"src": "app.conf.j2", "dest": snippet_path(app), "apps": [app["name"]], "vars": {"locations": locations(app)}}
        )
    for owner, found in _by_owner(servers(apps)).items():
        members = sorted({name for server in found for name in server["apps"]})
        blocks = [block for server in found for block in _blocks(server, settings)]
        files.append({"src": "site.conf.j2", "dest": _available(owner), "apps": members, "vars": {"servers": blocks}})
        links.append(_enabled(owner, members))
    for app in apps:
        if app["preview_port"]:
            # Under a name of its own, since the site of an app whose release is held stays as it is, and this one must not.
            name = f"{app['name']}.preview"
            variables = {"servers": [_preview(app, settings)]}
            files.append({"src": "site.conf.j2", "dest": _available(name), "apps": [name], "vars": variables})
            links.append(_enabled(name, [name]))
    # Debian's site for a fresh installation is a default server, and there can only be one.
    displace = [f"{DIRECTORY}/sites-enabled/default"] if settings.default_server else []
    return {
        "files": files,
        "links": links,
        "displace": displace,
        "ports": sorted({*settings.http_ports, *(site["port"] for site in sites)}),
        "certificates": [path for site in sites for path in _sites.files(site["name"])],
    }


def _available(name: str) -> str:
    return f"{DIRECTORY}/sites-available/{name}.conf"


def _enabled(name: str, apps: list[str]) -> dict[str, Any]:
    return {"path": f"{DIRECTORY}/sites-enabled/{name}.conf", "target": f"../sites-available/{name}.conf", "apps": apps}


def _log(app: dict[str, Any], kind: str, user: str) -> dict[str, Any]:
    # nginx would make it readable by everybody; Debian's own logs, and all of them once they are rotated, have this owner.
    log = {"content": "", "dest": log_path(app, kind), "mode": "0640", "owner": user, "group": "adm"}
    return {**log, "initial": True, "apps": [app["name"]]}


def servers(apps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The server blocks: the domains that have the same apps and the same canonical domain are one server.

    :returns: ``apps``: the names of its apps, the first of which owns it; ``names``: its domains; ``redirect``: the canonical
        domain, where it only redirects; ``includes``: what it includes; ``tls``: the key of its apps
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
            {
                "apps": names,
                "names": [],
                "redirect": redirect,
                "includes": [_include(app) for app in found],
                "tls": found[0]["tls"],
            },
        )
        server["names"] += [domain] if domain else ANY_NAME
    return list(grouped.values())


def _blocks(server: dict[str, Any], settings: Settings) -> list[dict[str, Any]]:
    """The server blocks that a server comes to: one for each way to it, where the ways differ."""
    tls, canonical = server["tls"], server["redirect"]
    plain = settings.listens(settings.http_ports)
    there = _everything(f"308 $scheme://{canonical}{PORT_SUFFIX}$request_uri") if canonical else []
    here = {"names": server["names"], "locations": there, "includes": [] if canonical else server["includes"]}
    if tls["mode"] == "none":
        return [{**here, "listens": plain, "lines": [], "locations": [CHALLENGES, *there]}]
    lines, secure = _lines(_secured(server, settings)), settings.secure(tls["port"])
    if not tls["redirect"]:
        return [{**here, "listens": [*plain, *secure], "lines": lines, "locations": [CHALLENGES, *there]}]
    port = "" if tls["port"] == 443 else f":{tls['port']}"
    across = _everything(f"308 https://{canonical or '$host'}{port}$request_uri")
    redirect = {**here, "listens": plain, "lines": [], "locations": [CHALLENGES, *across], "includes": []}
    return [redirect, {**here, "listens": secure, "lines": lines}]


def _everything(answer: str) -> list[dict[str, Any]]:
    """The location that gives one answer to all, which other locations still go before."""
    return [{"match": "/", "lines": [f"return {answer};"]}]


def _secured(server: dict[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """The directives of a server with TLS."""
    tls = server["tls"]
    owner = server["apps"][0]
    return [
        *([("http2", "on")] if settings.http2 else []),
        *_tls.certificate(owner, owner in settings.stapled),
        *settings.protocol(tls["profile"]),
        *_strict(tls),
        # What comes by HTTP to a port for TLS; the port is the one that the visitor asked.
        ("error_page", f"497 =308 https://$host{PORT_SUFFIX}$request_uri"),
    ]


def _strict(tls: dict[str, Any]) -> list[tuple[str, str]]:
    value = f'Strict-Transport-Security "max-age={tls["hsts"]}" always'
    return [("add_header", value)] if tls["hsts"] else []


def _defaults(apps: Sequence[dict[str, Any]], sites: Sequence[dict[str, Any]], settings: Settings) -> list[dict[str, Any]]:
    """The servers for names that no app has, one for HTTP and one for each port for TLS.

    On a port for TLS, a visitor who gives no name, as by an address, gets the certificate of the app that has all names. Without
    such an app the handshake is refused; where nginx cannot do that, some certificate has to be shown first.
    """
    refusal = {"names": ["_"], "includes": []}
    plain = settings.listens(settings.http_ports, " default_server")
    found = [{**refusal, "listens": plain, "lines": [], "locations": [CHALLENGES, *_everything("444")]}]
    # With HTTP/2 a request for another name may come in a connection that was made for one of ours (RFC 9113, 9.1.2).
    elsewhere = [*_everything("421"), {"match": "@closed", "lines": ["return 444;"]}]
    for port in sorted({site["port"] for site in sites}):
        here = [site for site in sites if site["port"] == port]
        shown = [site["name"] for site in here if not site["domains"]] or ([] if settings.rejects else [here[0]["name"]])
        certificate = _tls.certificate(shown[0]) if shown else [("ssl_reject_handshake", "on")]
        lines = _lines([*certificate, *settings.protocol(here[0]["profile"]), ("error_page", "497 @closed")])
        listens = [f"{address} default_server" for address in settings.secure(port)]
        found.append({**refusal, "listens": listens, "lines": lines, "locations": elsewhere})
    return found


def _preview(app: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What looks at the release that is held; the log of visitors is not for that."""
    held = [{**static, "path": static["path"].replace(app["current"], app["preview"], 1)} for static in app["static"]]
    addresses = ["127.0.0.1", "[::1]"] if settings.ipv6 else ["127.0.0.1"]
    return {
        "names": ["_"],
        "listens": [f"{address}:{app['preview_port']}" for address in addresses],
        "lines": [f"if (!-e {app['preview']}) {{", '    return 404 "No release of this app is held.\\n";', "}"],
        "locations": locations({**app, "upstream": app["preview_socket"], "static": held}, access_log="off"),
        "includes": [],
    }


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


def locations(app: dict[str, Any], access_log: str | None = None) -> list[dict[str, Any]]:
    """An app's locations, each with the lines that go into it.

    :param access_log: the log of requests, the app's own if not given
    """
    logs = [("access_log", access_log or log_path(app, "access")), ("error_log", log_path(app, "error"))]
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
    settings = [
        *logs,
        ("client_max_body_size", app["client_max_body_size"]),
        *_handover(app),
    ]
    raw = [line for text in app["nginx_directives"] for line in text.splitlines()]
    own = _directives(raw)
    settings = [(name, value) for name, value in settings if name in REPEATABLE or name not in own]
    headers = _headers(raw)
    settings = [
        (name, value) for name, value in settings if name != "proxy_set_header" or value.split()[0].lower() not in headers
    ]
    if "add_header" in own:
        settings += _strict(app["tls"])  # a location with headers of its own has none of its server's
    found.append({"match": f"{mount}/", "lines": [*_lines(settings), *raw]})
    return found


def _handover(app: dict[str, Any]) -> list[tuple[str, str]]:
    """How a request gets to an app's server and its answer back, in the protocol of that."""
    module = {"uwsgi": "uwsgi", "http": "proxy"}[app["protocol"]]
    timeout = f"{app['request_timeout']}s"
    settings = [("read_timeout", timeout), ("send_timeout", timeout), *BUFFERS]
    common = [(f"{module}_{name}", value) for name, value in settings]
    if module == "uwsgi":
        # Debian's uwsgi_params lost the port in a security update; what comes later wins.
        host = ("uwsgi_param", f"HTTP_HOST $host{PORT_SUFFIX}")
        return [*common, ("include", "uwsgi_params"), host, ("uwsgi_pass", f"unix:{app['upstream']}")]
    return [
        *common,
        ("proxy_http_version", "1.1"),  # with 1.0 an app cannot stream what it does not know the length of
        ("proxy_redirect", "off"),
        ("proxy_set_header", f"Host $host{PORT_SUFFIX}"),
        *(("proxy_set_header", f"{name} {value}") for name, value in FORWARDED.items()),
        # Without a URI behind the socket nginx passes the visitor's on as it came.
        ("proxy_pass", f"http://unix:{app['upstream']}"),
    ]


def _headers(lines: list[str]) -> set[str]:
    """The names, in lower case, of the headers that some lines set for the app's server."""
    words = (line.split() for line in lines)
    return {found[1].lower() for found in words if len(found) > 2 and found[0] == "proxy_set_header"}


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
