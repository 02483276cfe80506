# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``firewall_ports``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _ufw
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record


def firewall_ports(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Open the ports in ufw, if it is active.

    :param wanted: the module's parameters
    """
    comment = wanted["comment"]
    ports = [*wanted["ports"], *_others(_record.scope(wanted))]
    try:
        reason = _ufw.inactive()
        if reason:
            return {"changed": False, "opened": [], "closed": [], "blocked": [], "reason": reason}
        plan = _ufw.plan(_ufw.rules(), ports, comment)
        if not check:
            _ufw.carry_out(plan, comment)
    except StackError as failure:
        return {"failed": True, "msg": failure.cause}
    return {
        "changed": bool(plan.open or plan.close),
        "opened": list(plan.open),
        "closed": list(plan.close),
        "blocked": list(plan.blocked),
        "warnings": [
            f"Port {port} is not open to everybody: another rule of ufw denies it or restricts it to some sources."
            for port in plan.blocked
        ],
        "diff": {
            "before": "".join(f"allow {port}/tcp\n" for port in plan.close),
            "after": "".join(f"allow {port}/tcp\n" for port in plan.open),
        },
    }


def _others(scope: _record.Scope) -> list[int]:
    """The ports of the apps that the run may not change, and of their lists."""
    others = [entry for app, entry in scope.record.apps.items() if not scope.has(app) and entry["claims"]]
    claimed = [entry["claims"]["tls"] for entry in others]
    settings = [scope.record.lists.get(name, {}) for name in {entry["list"] for entry in others} - {scope.list}]
    http = [port for found in settings for port in found.get("nginx_http_ports", ())]
    return [*http, *(tls["port"] for tls in claimed if tls)]


STEP = Step(
    {
        **_record.OPTIONS,
        "ports": {"type": "list", "elements": "int", "required": True},
        "comment": {"type": "str", "default": "wsgi.stack"},
    },
    firewall_ports,
)
