# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``uwsgi_plugin``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _ensure, _remove, _requests, _result


def uwsgi_plugin(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Make sure that uWSGI has the plugins.

    :param wanted: the module's parameters
    """
    apps = wanted["apps"]
    options = _requests.PluginOptions(
        requests=_requests.requests(wanted["python"], apps),
        plugins=list(dict.fromkeys(wanted["plugins"])),
        source=wanted["source"],
        jobs=wanted["jobs"] or len(os.sched_getaffinity(0)),
        check_mode=check,
        install=wanted["install_build_dependencies"],
        installed=wanted["installed_build_dependencies"],
    )
    try:
        _requests.check(options)
    except StackError as failure:
        return {"failed": True, "msg": f"uwsgi_plugin: {failure.cause}"}
    result, failures = (_ensure.present if wanted["state"] == "present" else _remove.absent)(options)
    if "needed" in result:
        return result
    result["warnings"] = [_result.warning(leftover) for leftover in result["leftovers"]]
    if apps is not None:
        return {**result, "failures": [failure.result(app) for app, failure in failures.found]}
    found = [{"python": python, **_result.failure_of_python(failure)} for python, failure in failures.found]
    result["failures"] = found
    if found:
        result.update(failed=True, msg="\n".join(dict.fromkeys(failure["message"] for failure in found)))
    return result


STEP = Step(
    {
        "python": {"type": "list", "elements": "str"},
        "apps": {"type": "list", "elements": "dict"},
        "plugins": {"type": "list", "elements": "str", "default": ["python"]},
        "source": {"type": "str", "default": "distribution"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "install_build_dependencies": {"type": "bool", "default": False},
        "jobs": {"type": "int"},
        "installed_build_dependencies": {"type": "list", "elements": "str"},
    },
    uwsgi_plugin,
    {"mutually_exclusive": [("python", "apps")], "required_one_of": [("python", "apps")]},
)
