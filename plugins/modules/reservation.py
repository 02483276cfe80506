#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reserve names, domains and ports of a host for a list of WSGI apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reservation
short_description: Reserve names, domains and ports of a host for a list of WSGI apps
version_added: 0.1.0
description:
  - Several lists of apps can be on one host. Each has a name, see O(list).
  - Fails before anything is changed if an app of another list has the name, a domain or a port of one of O(apps), or if another
    list has a different value for one of O(settings).
  - Records which app belongs to which list in C(/var/lib/wsgi/lists.json), where only root can write. All other modules with the
    option C(list) leave alone what belongs to the apps of other lists. Apps that are not recorded belong to V(default).
  - An app that is no longer in its list belongs to it for as long as it is on the host, see M(wsgi.stack.retire).
options:
  take_over:
    description: The names of those of O(apps) that are taken over if they belong to another list.
    type: list
    elements: str
    default: []
  settings:
    description:
      - Settings that all lists of a host share, by the names of their variables.
      - A list that changes one of them changes it for the host, and the other lists have to follow. C(wsgi_directory) and
        C(wsgi_runtime_directory) cannot be changed while another list is there.
    type: dict
    default: {}
  directory:
    description: The root of builds, releases and data.
    type: path
    default: /srv/wsgi
  runtime_directory:
    description: The root of the sockets.
    type: path
    default: /run/wsgi
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.list
  - wsgi.stack.apps.only
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Reserve the names, domains and ports of the apps
  wsgi.stack.reservation:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    list: shops
"""

RETURN = r"""
apps:
  description: The names of all apps on the host that belong to the list, or in check mode would belong to it.
  type: list
  elements: str
  returned: always
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.reservation._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
