# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The doctor's report as JSON, for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings, _report
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display

KEPT = ("nginx", "sites", "findings", "unseen")
"""The results of the module ``doctor_info`` that are in the document."""


def of_host(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a host.

    :param result: what the module ``doctor_info`` returns
    """
    severities = [finding["severity"] for finding in result["findings"]]
    state = min(severities, key=_findings.SEVERITIES.index, default=_report.OK)
    found = {"state": state, "summary": _report.summary([result]), **{key: result[key] for key in KEPT}}
    shown: dict[str, Any] = _display.shown(_bounded(found))
    return shown


def of_hosts(hosts: Mapping[str, Mapping[str, Any]], missing: Iterable[str] = (), when: str = "") -> str:
    """The report on all hosts.

    :param hosts: results of the module ``doctor_info`` by host name
    :param missing: hosts that could not be examined
    :param when: the time of the examination, as text
    """
    found = {"examined_at": when, "hosts": {host: of_host(result) for host, result in hosts.items()}, "not_examined": [*missing]}
    return json.dumps(found, indent=2) + "\n"


def line(host: str, result: Mapping[str, Any]) -> str:
    """The report on one host as one line."""
    return json.dumps({"host": host, **of_host(result)})


def _bounded(value: Any, name: str = "") -> Any:
    """A result with long texts cut; a fix is left out, since part of a command is another one."""
    if isinstance(value, str):
        if name in ("fix", "quick_fix"):
            return value if len(value) <= _report.FIX else _report.TOO_LONG
        return _report.bounded(value, _report.FIX)
    if isinstance(value, dict):
        return {_bounded(key): _bounded(each, key) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bounded(each) for each in value]
    return value
