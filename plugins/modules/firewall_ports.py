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
    with the same O(comment) and are no longer wanted.
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

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _ufw
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Module
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root

OPTIONS = {
    "ports": {"type": "list", "elements": "int", "required": True},
    "comment": {"type": "str", "default": "wsgi.stack"},
}


def main() -> None:
    module = Module(OPTIONS, supports_check_mode=True)
    require_root(module)
    comment = module.params["comment"]
    try:
        reason = _ufw.inactive()
        if reason:
            module.exit_json(changed=False, opened=[], closed=[], blocked=[], reason=reason)
        plan = _ufw.plan(_ufw.rules(), module.params["ports"], comment)
        if not module.check_mode:
            _ufw.carry_out(plan, comment)
    except StackError as failure:
        module.fail_json(msg=failure.cause)
    for port in plan.blocked:
        module.warn(f"Port {port} is not open to everybody: another rule of ufw denies it or restricts it to some sources.")
    module.exit_json(
        changed=bool(plan.open or plan.close),
        opened=list(plan.open),
        closed=list(plan.close),
        blocked=list(plan.blocked),
        diff={
            "before": "".join(f"allow {port}/tcp\n" for port in plan.close),
            "after": "".join(f"allow {port}/tcp\n" for port in plan.open),
        },
    )


if __name__ == "__main__":
    main()
