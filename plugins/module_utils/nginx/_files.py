# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The files and symlinks of nginx's configuration for resolved apps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App, Static
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _locations, _paths, _tls, _upstream
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _sites

# Every name that no other server block has, and requests without a name. Not default_server: there can be only one, and it is the
# server block that rejects unknown names. An app that got its previous configuration back would collide with it.
ANY_NAME = ['""', '"~^"']

# ACME challenges are answered for every name, whether or not it already has a certificate.
CHALLENGES = {
    "match": f"^~ {_sites.CHALLENGE}",
    "lines": [f"root {_sites.WEBROOT};", "default_type text/plain;"],
}


# What one client can hold. In the server blocks, since in the http context somebody else may have the same directive, of which
# nginx takes no second one. An address can stand for many visitors, behind one NAT or one proxy, each with some ten requests.
# The zone of limit_conn is in base.conf.j2.
LIMITS = [
    ("client_header_timeout", "10s"),  # for the whole header, and the TLS handshake; only then does limit_conn count a request
    ("client_body_timeout", "30s"),  # between two reads, as the next one between two writes
    ("send_timeout", "30s"),
    ("limit_conn", "wsgi_clients 1000"),
    ("limit_conn_status", "429"),
]


# Debian's nginx takes 768 connections for each processor. When they are taken, nobody is served: 1,700 requests whose headers
# were not finished did that. A worker needs 3.5 MB for 8192. No other file can set this: a second events block is an error.
CONNECTIONS = {
    "path": _paths.MAIN,
    "before": "events {\n\tworker_connections 768;\n",
    "after": (
        "# Changed by wsgi.stack, which leaves this file alone from now on.\n"
        "worker_rlimit_nofile 16384;\n\nevents {\n\tworker_connections 8192;\n"
    ),
}


# What answers for names that no app has.
REFUSAL = {"names": ["_"], "includes": []}

SERVED = frozenset(
    "domains canonical_domain mount static tls client_max_body_size request_timeout nginx_directives protocol upstream threads"
    " gevent".split()
)
"""The keys of an app that decide what nginx serves for it."""


@dataclass(frozen=True)
class NginxSettings:
    """What nginx's configuration depends on besides the apps.

    :ivar http_ports: the ports for HTTP of every server block
    :ivar ipv6: listen on IPv6 as well
    :ivar default_server: reject names that no app has
    :ivar http_directives: lines for the http context
    :ivar user: the user of nginx's workers
    """

    http_ports: Sequence[int] = (80,)
    ipv6: bool = True
    default_server: bool = True
    http_directives: Sequence[str] = ()
    user: str = "www-data"

    def listens(self, ports: Iterable[int], parameters: str = "") -> list[str]:
        """The arguments of ``listen`` for some ports."""
        return [f"{address}{port}{parameters}" for port in ports for address in (("", "[::]:") if self.ipv6 else ("",))]

    def preview_listens(self, app: App) -> list[str]:
        """The arguments of ``listen`` for an app's preview."""
        return [f"{address}:{app['preview_port']}" for address in (("127.0.0.1", "[::1]") if self.ipv6 else ("127.0.0.1",))]

    @property
    def limits(self) -> list[str]:
        """The lines that limit what one client can hold, without those for which the user set another value for all of nginx."""
        own = _locations.directives(self.http_directives)
        return _locations.lines((name, value) for name, value in LIMITS if name not in own)

    def secure(self, port: int) -> list[str]:
        """The arguments of ``listen`` for TLS."""
        return self.listens([port], f" ssl{_tls.HTTP2_PARAMETER}")


def tree(apps: Sequence[App], previews: Sequence[App] | None = None, **given: Any) -> dict[str, Any]:
    """The files and symlinks of nginx's configuration, as options of ``config_tree``.

    :param apps: resolved apps, as visitors get them
    :param previews: the apps as they are previewed, if that differs
    :param given: see ``NginxSettings``
    :returns: ``files``, ``links``, ``displace``, ``adjust``, ``listens``, ``app_listens``, ``included_by_nginx`` and ``notes``
        for ``config_tree``; the ``ports`` that nginx listens on; ``certificates``, the paths of certificates and keys that the
        files name; ``certificate_directory``, where they are
    """
    settings = NginxSettings(**given)
    sites = _sites.sites(apps)
    defaults = _limited(_defaults(settings), settings) if settings.default_server else []
    files = [
        {
            "src": "base.conf.j2",
            "dest": _paths.shared_path(),
            "vars": {"directives": settings.http_directives, "servers": defaults},
        },
        *_long_names(apps, settings.http_directives),
        *(_secure_defaults(sites, settings) if settings.default_server else []),
    ]
    links = []
    for app in apps:
        kept = _upstream.kept(app)
        files += [_log(app, kind, settings.user) for kind in ("access", "error")]
        if kept:
            files.append({"content": _upstream.content(app), "dest": _paths.upstream_path(app), "apps": [app["name"]]})
        files.append(
            {
                "src": "app.conf.j2",
                "dest": _paths.snippet_path(app),
                "apps": [app["name"]],
                "vars": {"locations": _locations.locations(app, kept=kept)},
            }
        )
    for owner, found in _by_owner(servers(apps)).items():
        members = sorted({name for server in found for name in server["apps"]})
        blocks = [block for server in found for block in _blocks(server, settings)]
        variables = {"servers": _limited(blocks, settings)}
        files.append({"src": "site.conf.j2", "dest": _paths.site_path(owner), "apps": members, "vars": variables})
        links.append(_enabled(owner, members))
    previewed = [app for app in (apps if previews is None else previews) if app["preview_port"]]
    for app in previewed:
        # As an app of its own: the site of an app with a staged release stays as it is, but this one must change.
        name = f"{app['name']}.preview"
        variables = {"servers": [_preview(app, settings)]}
        files.append({"src": "site.conf.j2", "dest": _paths.site_path(name), "apps": [name], "vars": variables})
        links.append(_enabled(name, [name]))
    # Debian's site for a new installation is a default server, and there can be only one.
    displace = [f"{_paths.DIRECTORY}/sites-enabled/default"] if settings.default_server else []
    ports = sorted({*settings.http_ports, *(site["port"] for site in sites)})
    # A port above 1023 is for any user to take: that is to stop no app but those that want it.
    own = {app: settings.listens([site["port"]]) for site in sites if site["port"] > 1023 for app in site["apps"]}
    own.update({f"{app['name']}.preview": settings.preview_listens(app) for app in previewed})
    return {
        "files": files,
        "links": links,
        "displace": displace,
        "adjust": [CONNECTIONS],
        "notes": {app["name"]: {key: value for key, value in app.items() if key in SERVED} for app in apps},
        "ports": ports,
        "listens": settings.listens(port for port in ports if port in settings.http_ports or port <= 1023),
        "app_listens": own,
        "included_by_nginx": [_paths.shared_path(), *(link["path"] for link in links[:1])],
        "certificates": [path for site in sites for path in _sites.files(site["name"])],
        "certificate_directory": _sites.DIRECTORY,
    }


def _enabled(name: str, apps: list[str]) -> dict[str, Any]:
    return {"path": f"{_paths.DIRECTORY}/sites-enabled/{name}.conf", "target": f"../sites-available/{name}.conf", "apps": apps}


def _log(app: App, kind: str, user: str) -> dict[str, Any]:
    # nginx would create it readable by everybody. Debian's own logs, and all logs after a rotation, have this owner.
    log = {"content": "", "dest": _paths.log_path(app, kind), "mode": "0640", "owner": user, "group": "adm"}
    return {**log, "initial": True, "apps": [app["name"]]}


def servers(apps: Sequence[App]) -> list[dict[str, Any]]:
    """The servers: domains with the same apps and the same canonical domain form one.

    :returns: ``apps``: the names of its apps, the first of which owns it; ``names``: its domains; ``redirect``: the canonical
        domain, if it only redirects there; ``includes``: the arguments of ``include``; ``tls``: that of the first app
    """
    members: dict[str, list[App]] = {}
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
                "includes": [_paths.include(app) for app in found],
                "tls": found[0]["tls"],
            },
        )
        server["names"] += [domain] if domain else ANY_NAME
    return list(grouped.values())


def _blocks(server: dict[str, Any], settings: NginxSettings) -> list[dict[str, Any]]:
    """The server blocks of a server: one, or two if it redirects HTTP to HTTPS."""
    tls, canonical = server["tls"], server["redirect"]
    plain = settings.listens(settings.http_ports)
    there = _everything(f"308 $scheme://{canonical}{_locations.PORT_SUFFIX}$request_uri") if canonical else []
    here = {"names": server["names"], "locations": there, "includes": [] if canonical else server["includes"]}
    if tls["mode"] == "none":
        return [{**here, "listens": plain, "lines": [], "locations": [CHALLENGES, *there]}]
    lines, secure = _secured(server), settings.secure(tls["port"])
    if not tls["redirect"]:
        return [{**here, "listens": [*plain, *secure], "lines": lines, "locations": [CHALLENGES, *there]}]
    port = "" if tls["port"] == 443 else f":{tls['port']}"
    across = _everything(f"308 https://{canonical or '$host'}{port}$request_uri")
    redirect = {**here, "listens": plain, "lines": [], "locations": [CHALLENGES, *across], "includes": []}
    return [redirect, {**here, "listens": secure, "lines": lines}]


def _limited(blocks: Iterable[dict[str, Any]], settings: NginxSettings) -> list[dict[str, Any]]:
    """Server blocks for visitors, with limits for each of them."""
    return [{**block, "lines": [*block["lines"], *settings.limits]} for block in blocks]


def _everything(response: str) -> list[dict[str, Any]]:
    """A location that returns the same response to all requests for which there is no other location."""
    return [{"match": "/", "lines": [f"return {response};"]}]


def _secured(server: dict[str, Any]) -> list[str]:
    """The lines of a server block with TLS."""
    tls = server["tls"]
    owner = server["apps"][0]
    return [
        _tls.HTTP2_LINE,
        *_tls.certificate(owner),
        _tls.stapling_line(owner),
        *_tls.settings(tls["profile"]),
        *_locations.lines(_locations.hsts(tls)),
        # For HTTP requests to the port for TLS; they are redirected to the same port.
        f"error_page 497 =308 https://$host{_locations.PORT_SUFFIX}$request_uri;",
    ]


def _defaults(settings: NginxSettings) -> list[dict[str, Any]]:
    """The server block for unknown names over HTTP."""
    plain = settings.listens(settings.http_ports, " default_server")
    return [{**REFUSAL, "listens": plain, "lines": [], "locations": [CHALLENGES, *_everything("444")]}]


def _secure_defaults(sites: Sequence[dict[str, Any]], settings: NginxSettings) -> list[dict[str, Any]]:
    """The files with the server blocks for unknown names on the ports for TLS, one for each port: lists can have ports in common.

    A client without a name (SNI), as for a URL with an IP address, gets the certificate of the app that serves every name.
    Without such an app the handshake is rejected. An nginx that cannot do that needs a certificate here, too.
    """
    # With HTTP/2, a connection that was opened for one name may be reused for another one (RFC 9113, 9.1.2).
    elsewhere = [*_everything("421"), {"match": "@closed", "lines": ["return 444;"]}]
    files = []
    for port in sorted({site["port"] for site in sites}):
        here = [site for site in sites if site["port"] == port]
        nameless = [site["name"] for site in here if not site["domains"]]
        certificate = _tls.certificate(nameless[0]) if nameless else [_tls.refusal_line(here[0]["name"])]
        lines = [*certificate, *_tls.settings(here[0]["profile"]), "error_page 497 @closed;"]
        listens = [f"{address} default_server" for address in settings.secure(port)]
        server = {**REFUSAL, "listens": listens, "lines": lines, "locations": elsewhere}
        members = sorted({name for site in here for name in site["apps"]})
        variables = {"servers": _limited([server], settings)}
        files.append({"src": "site.conf.j2", "dest": _paths.shared_path(str(port)), "apps": members, "vars": variables})
    return files


def _preview(app: App, settings: NginxSettings) -> dict[str, Any]:
    """The server block for the preview of a staged release, without an access log."""
    static: list[Static] = [
        {**each, "path": each["path"].replace(app["current"], app["preview"], 1), "previous": None} for each in app["static"]
    ]
    staged: App = {**app, "upstream": app["preview_socket"], "static": static}
    return {
        "names": ["_"],
        "listens": settings.preview_listens(app),
        "lines": [f"if (!-e {app['preview']}) {{", '    return 404 "No release of this app is staged.\\n";', "}"],
        "locations": _locations.locations(staged, access_log="off"),
        "includes": [],
    }


def _long_names(apps: Sequence[App], http_directives: Sequence[str]) -> list[dict[str, Any]]:
    """The file with the directive that long domains need, if there is one: nginx keeps names in buckets of 64 bytes on most CPUs,
    and each has to fit in one. 512 bytes hold every domain.

    http://nginx.org/en/docs/http/server_names.html#optimization
    """
    owners = [app["name"] for app in apps if any(len(domain) > 40 for domain in app["domains"])]
    directive = "server_names_hash_bucket_size"
    if not owners or any(directive in line for line in http_directives):
        return []
    content = f"# Managed by wsgi.stack; changes here are overwritten.\n{directive} 512;\n"
    return [{"content": content, "dest": _paths.shared_path("names"), "apps": owners}]


def _by_owner(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    owners: dict[str, list[dict[str, Any]]] = {}
    for server in found:
        owners.setdefault(server["apps"][0], []).append(server)
    return owners
