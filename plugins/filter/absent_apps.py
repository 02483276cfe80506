# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that names the apps that shall not be there any more."""

from __future__ import annotations

DOCUMENTATION = r"""
name: absent_apps
short_description: Name the WSGI apps of a list that shall not be there any more
version_added: 0.1.0
description:
  - Returns the names of the apps whose C(state) is V(absent), which P(wsgi.stack.apps#lookup) leaves out.
positional: _input
options:
  _input:
    description: The apps, as given to P(wsgi.stack.apps#lookup).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Remove the apps that shall not be there any more
  wsgi.stack.retire:
    keep: "{{ lookup('wsgi.stack.apps') | map(attribute='name') }}"
    remove: "{{ wsgi_apps | wsgi.stack.absent_apps }}"
"""

RETURN = r"""
_value:
  description: The names.
  type: list
  elements: str
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve


def absent_apps(apps: Any) -> list[str]:
    try:
        return _resolve.absent(apps)
    except _resolve.InventoryError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"absent_apps": absent_apps}
