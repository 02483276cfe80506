# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``build``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.build import _build, _uv
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step


def build(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Make sure that each app has a build.

    :param wanted: the module's parameters
    """
    request = _build.BuildRequest(
        secrets=_resolve.read_secrets(wanted["secrets"]) if wanted["secrets"] else {},
        directories=wanted["directories"] or {},
        installer=wanted["installer"],
        uv_version=wanted["uv_version"],
        jobs=wanted["jobs"] or len(os.sched_getaffinity(0)),
        check_mode=check,
    )
    return _build.build(wanted["apps"], request)


STEP = Step(
    {
        "apps": {"type": "list", "elements": "dict", "required": True},
        "secrets": {"type": "str", "no_log": True},
        "installer": {"type": "str", "choices": ["uv", "pip"], "default": "uv"},
        "uv_version": {"type": "str", "default": _uv.VERSION},
        "jobs": {"type": "int"},
        "directories": {"type": "dict"},
    },
    build,
)
