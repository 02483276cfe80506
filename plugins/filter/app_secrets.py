# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that wraps what may be secret in a list of apps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: app_secrets
short_description: Wrap what may be secret in a list of WSGI apps
version_added: 0.1.0
description:
  - Takes C(environment), C(build_environment), C(source.deploy_key) and C(files) of each app, and returns them as one opaque
    text.
  - The text is not encrypted. It only keeps single values such as V(1) or V(true) from being treated as secrets
    wherever they occur, which would blank them in everything that a module prints.
positional: _input
options:
  _input:
    description: The apps, as given to P(wsgi.stack.apps#lookup).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Build the apps
  wsgi.stack.build:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
"""

RETURN = r"""
_value:
  description: The secrets, for the parameter C(secrets) of the modules.
  type: str
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve


def app_secrets(apps: Any) -> str:
    try:
        return _resolve.secrets(apps)
    except _resolve.InventoryError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_secrets": app_secrets}
