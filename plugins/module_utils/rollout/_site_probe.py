# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``site_probe``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _probe
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _emperor


def site_probe(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Request the apps through nginx, as a visitor would.

    :param wanted: the module's parameters
    """
    apps, address, port = wanted["apps"], wanted["address"], wanted["port"]
    if check and not _probe.listening(address, port):
        where = f"Nothing listens on {address}:{port}, so in check mode there is nothing to request."
        return {"changed": False, "skipped": True, "sites": {}, "asleep": [], "failures": [], "msg": where}
    asleep = _emperor.asleep(apps)
    awake = [app for app in apps if app["name"] not in asleep]
    sites, failures = _probe.probe(awake, address, port, 0 if check else wanted["timeout"])
    result = {"changed": False, "sites": sites, "asleep": asleep, "failures": failures}
    if check and failures:
        names = ", ".join(failure["app"] for failure in failures)
        result.update(failures=[], msg=f"These apps do not respond as expected before the run: {names}.")
    return result


STEP = Step(
    {
        "apps": {"type": "list", "elements": "dict", "required": True},
        "address": {"type": "str", "default": "127.0.0.1"},
        "port": {"type": "int", "default": 80},
        "timeout": {"type": "int", "default": 10},
    },
    site_probe,
    needs_root=False,
)
