# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that makes nginx's configuration out of resolved apps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_files
short_description: Make the files of nginx's configuration out of resolved apps
version_added: 0.1.0
description:
  - Takes what P(wsgi.stack.apps#lookup) returns, and returns files and links for M(wsgi.stack.config_tree).
  - The locations of an app are one file, its servers another. Domains that have the same apps are one server.
positional: _input
options:
  _input:
    description: The resolved apps.
    type: list
    elements: dict
    required: true
  previews:
    description: The apps as they are previewed. By default as they are served.
    type: list
    elements: dict
  http_ports:
    description: The ports that every server listens on.
    type: list
    elements: int
    default: [80]
  ipv6:
    description: Listen on IPv6, too.
    type: bool
    default: true
  default_server:
    description: Refuse requests for names that no app has. An app without domains takes them in any case.
    type: bool
    default: true
  http_directives:
    description: Lines for the http context.
    type: list
    elements: str
    default: []
  user:
    description: The user of nginx's workers, who gets the logs.
    type: str
    default: www-data
"""

EXAMPLES = r"""
- name: Configure nginx
  vars:
    tree: "{{ lookup('wsgi.stack.apps') | wsgi.stack.nginx_files(http_ports=[8080]) }}"
  wsgi.stack.config_tree:
    name: nginx
    files: "{{ tree.files }}"
    links: "{{ tree.links }}"
    validate: [nginx, -t]
    service: nginx.service
"""

RETURN = r"""
_value:
  description: >-
    C(files), C(links), C(displace), C(adjust), C(listens), C(app_listens), C(included_by_nginx) and C(notes), as
    M(wsgi.stack.config_tree) takes them; C(ports), that visitors come to; C(certificates), the paths of those that nginx names;
    C(certificate_directory), where they are.
    For what only the host knows, the files of sites with TLS have placeholders, see
    RV(wsgi.stack.site_certificates#module:directives).
  type: dict
"""

from collections.abc import Sequence
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _files


def nginx_files(apps: Sequence[App], **settings: Any) -> dict[str, Any]:
    return _files.tree(apps, **settings)


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"nginx_files": nginx_files}
