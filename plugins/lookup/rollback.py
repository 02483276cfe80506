# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an app goes back to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollback
short_description: Plan the rollback of an app
version_added: 0.1.0
description:
  - Chooses the release that an app goes back to, as the playbook C(wsgi.stack.rollback) does it, and returns what the roles
    need to make it live.
  - The release is the one that is named. Otherwise it is the live one, if another one is staged for a preview, and
    otherwise the one that was live before.
  - A release brings the stack that it last ran under, whatever the list of apps says by now.
  - Fails if the app is not in C(wsgi_apps). If there is no such release, C(message) says so.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  _terms:
    description: The name of the app.
    required: true
  release:
    description: The number of the release.
    type: raw
  status:
    description: What M(wsgi.stack.status_info) returned. Without it, only the name of the app is checked.
    type: raw
"""

EXAMPLES = r"""
- name: Show which release an app would go back to
  vars:
    rollback: "{{ lookup('wsgi.stack.rollback', 'shop', status=shop_status) }}"
  ansible.builtin.debug:
    msg: "{{ rollback.release }}"
"""

RETURN = r"""
_raw:
  description: >-
    C(app), its name, and C(listed), a list of the resolved app as C(wsgi_apps) has it. With O(status) also the number C(release);
    C(stack) and C(role) of the release; C(apps), the list of apps for the roles, with that stack; C(resolved), a list of the
    resolved app with that stack; C(releases), the number of the release by app; C(stack_changed), whether nginx has to be
    configured; and C(other_apps), the names of all apps whose sites stay as they are. If there is no release to go back to,
    instead of those C(message), which says why and what to do, and is empty otherwise.
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _rollback
from ansible_collections.wsgi.stack.plugins.plugin_utils import _lookup


def plan(
    name: str,
    release: Any,
    status: Mapping[str, Any] | None,
    apps: Sequence[Mapping[str, Any]],
    stack: str,
    resolve: Callable[[Any], list[App]],
) -> dict[str, Any]:
    """See RETURN.

    :param stack: of the apps that name none
    :param resolve: fills in every key

    :raises InventoryError: there is no such app
    """
    _rollback.restack(apps, name)
    listed = [app for app in resolve(apps) if app["name"] == name]
    checked = {"app": name, "listed": listed}
    if not status:
        return checked
    found = next(entry for entry in status["apps"] if entry["app"] == name)
    try:
        target = _rollback.target(found, release)
    except InventoryError as error:
        return {**checked, "message": error.cause}
    restacked = _rollback.restack(apps, name, target["stack"], stack)
    known = [str(app["name"]) for app in apps] + [entry["app"] for entry in status["apps"]]
    return {
        **checked,
        **target,
        "message": "",
        "role": _registry.role(target["stack"]),
        "apps": restacked,
        "resolved": [app for app in resolve(restacked) if app["name"] == name],
        "releases": {name: target["release"]},
        "stack_changed": len({listed[0]["stack"], found["stack"], target["stack"]}) > 1,
        "other_apps": [other for other in dict.fromkeys(known) if other != name],
    }


class LookupModule(_lookup.InventoryLookup):
    """See the documentation above."""

    def value(self, terms: list[Any], **kwargs: Any) -> dict[str, Any]:
        stack = self.settings()["stack"]
        return plan(str(terms[0]), kwargs.get("release"), kwargs.get("status"), self.apps(), stack, self.resolve)
