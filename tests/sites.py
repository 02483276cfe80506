# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolved apps for tests of what nginx serves."""

from __future__ import annotations

from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import fill
from ansible_collections.wsgi.stack.plugins.module_utils.apps._tls import TLS

STATIC = {"shared": None, "internal": False, "previous": None, "max_age": None, "immutable": False}


def app(name: str, domains: tuple[str, ...] | list[str] = (), **rest: Any) -> dict[str, Any]:
    """An app with what its site depends on, and no more."""
    return {
        "name": name,
        "domains": list(domains),
        "canonical_domain": None,
        "mount": "/",
        "client_max_body_size": "10m",
        "request_timeout": 60,
        "nginx_directives": [],
        "protocol": "uwsgi",
        "threads": 2,
        "gevent": 0,
        "directory": f"/srv/wsgi/{name}",
        "runtime_directory": f"/run/wsgi/{name}",
        "upstream": f"/run/wsgi/{name}/app.sock",
        "current": f"/srv/wsgi/{name}/current",
        "previous": f"/srv/wsgi/{name}/previous",
        "preview": f"/srv/wsgi/{name}/preview",
        "preview_socket": f"/run/wsgi/{name}/preview.sock",
        "preview_port": None,
        **rest,
        "static": [{**STATIC, **static} for static in rest.get("static", [])],
        "tls": {**fill({}, TLS), **rest.get("tls", {})},
    }
