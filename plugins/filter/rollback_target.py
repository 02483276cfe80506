# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that decides which release an app goes back to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollback_target
short_description: Decide which release a WSGI app goes back to
version_added: 0.1.0
description:
  - Without O(release), the live release if another one is staged, which is dropped; else the newest earlier release on the host
    that was live itself.
positional: _input
options:
  _input:
    description: An element of RV(wsgi.stack.status#module:apps).
    type: dict
    required: true
  release:
    description: The number of a release that is on the host.
    type: raw
"""

EXAMPLES = r"""
- name: Say what a rollback would do
  ansible.builtin.debug:
    msg: "{{ status.apps | first | wsgi.stack.rollback_target }}"
"""

RETURN = r"""
_value:
  description: C(release), a number, and C(stack), the one that the release was made for.
  type: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _rollback


def rollback_target(found, release=None):
    try:
        return _rollback.target(found, release)
    except _resolve.InventoryError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of this collection."""

    def filters(self):
        return {"rollback_target": rollback_target}
