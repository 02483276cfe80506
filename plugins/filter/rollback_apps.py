# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that makes a list of apps fit a rollback."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollback_apps
short_description: Make a list of WSGI apps fit the rollback of one of them
version_added: 0.1.0
description:
  - Returns the list with the stack of one app replaced by that of the release that it goes back to. What the list says of the
    server of another stack is left out for that app, since the release has what it was made with.
  - Refuses the name of an app that is not in the list.
positional: _input
options:
  _input:
    description: The apps, as given to P(wsgi.stack.resolve_apps#filter).
    type: list
    elements: dict
    required: true
  app:
    description: The name of the app that goes back.
    type: str
    required: true
  stack:
    description: The stack of the release. The app stays as it is if not given.
    type: str
  wanted:
    description: The stack of the apps that name none.
    type: str
    default: uwsgi
"""

EXAMPLES = r"""
- name: Refuse a wrong name
  ansible.builtin.assert:
    that: wsgi_apps | wsgi.stack.rollback_apps('shop') is sequence
    quiet: true
"""

RETURN = r"""
_value:
  description: The apps.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _rollback


def rollback_apps(apps, app, stack=None, wanted=_resolve.DEFAULTS["stack"]):
    try:
        return _rollback.restack(apps, app, stack, wanted)
    except _resolve.InventoryError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of this collection."""

    def filters(self):
        return {"rollback_apps": rollback_apps}
