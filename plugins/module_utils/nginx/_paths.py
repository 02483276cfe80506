# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The paths of nginx's files, Debian's and ours."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils._app import App

DIRECTORY = "/etc/nginx"
MAIN = f"{DIRECTORY}/nginx.conf"
LOG_DIRECTORY = "/var/log/nginx"
ERROR_LOG = f"{LOG_DIRECTORY}/error.log"


def shared_path(purpose: str = "") -> str:
    """The file of what belongs to all sites, or of what some have in common.

    :param purpose: what that is, such as the port for TLS
    """
    return f"{DIRECTORY}/conf.d/wsgi{'.' if purpose else ''}{purpose}.conf"


def upstream_path(app: App) -> str:
    """The file with the ``upstream`` block of an app, if it has one."""
    return f"{DIRECTORY}/conf.d/wsgi-{app['name']}.conf"


def snippet_path(app: App) -> str:
    """The file with the locations of an app, which the server blocks of its domains include."""
    return f"{DIRECTORY}/wsgi/{app['name']}.conf"


def include(app: App) -> str:
    """The argument of ``include`` for the file with the locations of an app.

    It is a pattern, since nginx accepts a pattern that matches nothing: if an app's file is left out, the others still work.
    """
    return snippet_path(app).replace(".conf", "[.]conf")


def site_path(name: str) -> str:
    """The file with the server blocks of a site."""
    return f"{DIRECTORY}/sites-available/{name}.conf"


def log_path(app: App, kind: str) -> str:
    """A log file of an app.

    :param kind: ``access`` or ``error``
    """
    return f"{LOG_DIRECTORY}/{app['name']}.{kind}.log"
