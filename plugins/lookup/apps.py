# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A list of apps, checked and completed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: apps
short_description: Check and complete a list of apps
version_added: 0.1.0
description:
  - Returns the apps with every default filled in, as the modules of this collection take them. Fails at the first mistake.
  - Takes the defaults from the shared settings, see P(wsgi.stack.settings#lookup).
  - Runs on the controller and connects to no host. It reads what lies on the controller, namely source directories,
    environment files, certificates and keys.
  - Leaves out what may be secret, see P(wsgi.stack.app_secrets#filter), and apps whose C(state) is V(absent), see
    P(wsgi.stack.absent_apps#filter).
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description:
      - The apps, as described in the argument specification of the role P(wsgi.stack.app#role).
      - The variable C(wsgi_apps) if not given.
    type: raw
"""

EXAMPLES = r"""
- name: Fail if the list of apps has a mistake
  ansible.builtin.assert:
    that: lookup('wsgi.stack.apps') is sequence
    quiet: true
"""

RETURN = r"""
_raw:
  description: The resolved apps, one list. A resolved app has every key, and its names and paths on the host.
  type: list
  elements: list
"""

from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.plugin_utils import _lookup


class LookupModule(_lookup.InventoryLookup):
    """See the documentation above."""

    def value(self, terms: list[Any], **kwargs: Any) -> list[App]:
        return self.resolve(kwargs["apps"] if "apps" in kwargs else self.apps())
