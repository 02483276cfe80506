# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The connections to app servers that nginx keeps for further requests. Pure.

A server that stops closes them, and a request that is on its way then gets no answer. nginx sends it again only if it is one that
may be repeated, which a POST is not. So nginx keeps connections only to servers that wait for such a request, and gives them up
before they do: see ``app_servers._gunicorn``, which lets gunicorn answer each request with ``Connection: close`` if it does not.
"""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils._app import App

IDLE_CONNECTIONS = 32
"""How many each worker of nginx keeps to one app while they have nothing to do."""

IDLE_TIME = 1
"""Seconds for which it keeps them. gunicorn's threads wait twice as long when they stop."""


def kept(app: App) -> bool:
    """Whether nginx keeps its connections to an app: only gunicorn's threads wait for the next request on many at once."""
    return app["protocol"] == "http" and app["threads"] > 1 and not app["gevent"]


def name(app: App) -> str:
    """What the app server of an app is called in nginx's configuration."""
    return f"wsgi-{app['name']}"


def content(app: App) -> str:
    """The file with the ``upstream`` block of an app. The symlink leads a connection to the slot that is live when it is made.

    http://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive
    """
    lines = [
        "# Managed by wsgi.stack; changes here are overwritten.",
        f"upstream {name(app)} {{",
        f"    server unix:{app['upstream']};",
        f"    keepalive {IDLE_CONNECTIONS};",
        f"    keepalive_timeout {IDLE_TIME}s;",
        "}",
    ]
    return "".join(f"{line}\n" for line in lines)
