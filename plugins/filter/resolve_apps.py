# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that checks and completes a list of apps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: resolve_apps
short_description: Check and complete a list of WSGI apps
version_added: 0.1.0
description:
  - Checks every key of every app and every pair of apps that could be in each other's way.
  - Merges the defaults, and fixes every name and path. Roles and modules of this collection take the result.
  - Looks at the certificates and keys that lie on the controller, whether they can be what an app presents.
  - Leaves out what may be secret, see P(wsgi.stack.app_secrets#filter).
positional: _input
options:
  _input:
    description: The apps, as described in the argument specification of the role P(wsgi.stack.app#role).
    type: list
    elements: dict
    required: true
  stack:
    description: The stack of the apps that name none.
    type: str
    default: uwsgi
  uwsgi_install_from:
    description: Where the uWSGI of the apps comes from that do not say it.
    type: str
    choices: [distribution, venv]
    default: distribution
  directory:
    description: The root of builds and releases on the hosts.
    type: str
    default: /srv/wsgi
  runtime_directory:
    description: The root of the sockets on the hosts.
    type: str
    default: /run/wsgi
  base_directory:
    description: Where on the controller a relative C(source.directory) begins, and where relative paths in C(tls) do.
      The current directory if not given.
    type: str
  http_ports:
    description: nginx's ports for HTTP, which no app can have for anything else.
    type: list
    elements: int
    default: []
  certbot_options:
    description: certbot's further options. If they are given, a name that needs one that is not there is refused.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Refuse a list of apps that cannot work
  ansible.builtin.assert:
    that: wsgi_apps | wsgi.stack.resolve_apps(base_directory=inventory_dir) is sequence
    quiet: true
"""

RETURN = r"""
_value:
  description: One dictionary an app, every key there.
  type: list
  elements: dict
"""

import datetime

from ansible.errors import AnsibleFilterError

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.plugin_utils import _given_certificates


def resolve_apps(apps, **settings):
    try:
        resolved = _resolve.resolve(apps, **settings)
        for app in resolved:
            _given_certificates.check(app, datetime.datetime.now(datetime.timezone.utc))
        return resolved
    except _resolve.InventoryError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of this collection."""

    def filters(self):
        return {"resolve_apps": resolve_apps}
