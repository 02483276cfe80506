# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a module says that needs root and does not run as root."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts


def require_root(module: AnsibleModule) -> None:
    """End a module with one sentence if it does not run as root, in check mode as well: it could not look at the host either."""
    if os.geteuid() != 0:
        user = _accounts.user_name(os.geteuid())
        module.fail_json(msg=f"{module._name}: runs as the user {user} and needs root; set become: true on the task or the play.")
