#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Open TCP ports in an active ufw."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_ports
short_description: Open TCP ports if ufw is active
version_added: 0.1.0
description:
  - If ufw is installed and active, allows connections to some TCP ports from everywhere. Closes ports that were opened earlier
    with the same O(comment) and are no longer wanted. The ports of apps that are not changed, such as those of other lists, stay
    as they are.
  - Does not change other rules. A port that one of them denies, or allows for some sources only, stays as it is, and is one of
    RV(blocked).
  - Does nothing if ufw is not active. It neither installs nor enables ufw.
options:
  ports:
    description: The TCP ports.
    type: list
    elements: int
    required: true
  comment:
    description: The comment of this module's rules in ufw.
    type: str
    default: wsgi.stack
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps.list
  - wsgi.stack.apps.only
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Open the firewall
  wsgi.stack.firewall_ports:
    ports: [80, 443]
"""

RETURN = r"""
opened:
  description: The ports that were opened.
  returned: always
  type: list
  elements: int
closed:
  description: The ports that were closed.
  returned: always
  type: list
  elements: int
blocked:
  description: The wanted ports that are not open to everybody, since another rule denies or restricts them.
  returned: always
  type: list
  elements: int
reason:
  description: Why there was nothing to do.
  returned: if ufw is not active
  type: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._firewall_ports import STEP


@_bytecode.kept
def main() -> None:
    STEP.main()


if __name__ == "__main__":
    main()
