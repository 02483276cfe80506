# SPDX-License-Identifier: GPL-3.0-or-later
"""The stacks by name: what nginx speaks to each, which app server runs there, and which role sets it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn, _uwsgi


@dataclass(frozen=True)
class Stack:
    """A stack.

    :ivar protocol: what nginx speaks to its slots, ``uwsgi`` or ``http``
    :ivar server: the module of its app server, with ``OWN_OPTIONS``, ``CONFIGURATION`` (a file's name), and the functions
        ``requirements(app)``, ``build_packages(app)``, ``program(app, build)``, ``configuration(app, build, host)`` and
        ``start(app, build, release)``
    :ivar role: the role of this collection that rolls releases out on it
    """

    protocol: str
    server: ModuleType
    role: str


STACKS = {
    "uwsgi": Stack("uwsgi", _uwsgi, "uwsgi"),
    "uwsgi_emperor": Stack("uwsgi", _uwsgi, "uwsgi"),
    "gunicorn_supervisor": Stack("http", _gunicorn, "gunicorn_supervisor"),
}


def server(app: Mapping[str, Any]) -> ModuleType:
    """The module of an app's server."""
    return STACKS[app["stack"]].server


def protocol(stack: str) -> str:
    """What nginx speaks to a stack: ``uwsgi`` or ``http``."""
    return STACKS[stack].protocol


def role(stack: str) -> str:
    """The role that rolls releases out on a stack."""
    return STACKS[stack].role
