# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``accounts``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _create
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record


def accounts(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Create the users, groups and directories of the apps.

    :param wanted: the module's parameters
    """
    given = {key: wanted[key] for key in ("directory", "runtime_directory", "nginx_group")}
    return _create.ensure(wanted["apps"], _create.AccountsRequest(**given, scope=_record.scope(wanted), check=check))


STEP = Step(
    {
        **_record.OPTIONS,
        "apps": {"type": "list", "elements": "dict", "required": True},
        "directory": {"type": "path", "default": _layout.DIRECTORY},
        "runtime_directory": {"type": "path", "default": _layout.RUNTIME_DIRECTORY},
        "nginx_group": {"type": "str", "default": "www-data"},
    },
    accounts,
)
