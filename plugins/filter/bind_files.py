# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd's files for the loopback addresses of apps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bind_files
short_description: The systemd units that listen at the apps' own addresses
version_added: 0.1.0
description:
  - Makes the files and links for M(wsgi.stack.config_tree) that give each app with C(bind) a socket unit, which listens at that
    address, and a service that passes connections on to the live slot.
  - The templates are those of the role P(wsgi.stack.gunicorn_supervisor#role).
author:
  - The wsgi.stack founders (@wsgi-stack)
positional: _input
options:
  _input:
    description: The resolved apps, see P(wsgi.stack.apps#lookup). Those without C(bind) get nothing.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Listen at the apps' own addresses
  vars:
    tree: "{{ lookup('wsgi.stack.apps') | wsgi.stack.bind_files }}"
  wsgi.stack.config_tree:
    name: bind
    files: "{{ tree.files }}"
    links: "{{ tree.links }}"
    app_listens: "{{ tree.app_listens }}"
"""

RETURN = r"""
_value:
  description: C(files), C(links) and C(app_listens), as M(wsgi.stack.config_tree) takes them.
  type: dict
"""

from collections.abc import Sequence
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils._app import App

UNITS = "/etc/systemd/system"


def bind_files(apps: Sequence[App]) -> dict[str, Any]:
    files, links = [], []
    for app in apps:
        if not app["bind"]:
            continue
        unit = f"wsgi-bind-{app['name']}"
        variables = {
            "name": app["name"],
            "bind": app["bind"],
            "upstream": app["upstream"],
            "user": app["user"],
            "group": app["group"],
        }
        files += [
            {"src": f"bind.{kind}.j2", "dest": f"{UNITS}/{unit}.{kind}", "apps": [app["name"]], "vars": variables}
            for kind in ("socket", "service")
        ]
        # What "systemctl enable" would make.
        link = {"path": f"{UNITS}/sockets.target.wants/{unit}.socket", "target": f"{UNITS}/{unit}.socket"}
        links.append({**link, "apps": [app["name"]]})
    return {"files": files, "links": links, "app_listens": {app["name"]: [app["bind"]] for app in apps if app["bind"]}}


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"bind_files": bind_files}
