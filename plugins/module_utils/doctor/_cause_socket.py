# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why systemd does not listen for a server with socket activation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _units
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why

Unit = Mapping[str, str]


def judge(socket: Unit, service: Unit, address: str, why: Why | None, lines: Sequence[str]) -> list[Finding]:
    """Judge a .socket that should listen on an address and does not. Pure.

    :param socket: its properties, as ``service`` those of what it starts
    :param why: why the service does not start, None if that is not known
    :param lines: the last errors in its log
    """
    if not socket or socket.get("ActiveState") == "active":
        return []
    if socket.get("ActiveState") == "failed" and service.get("ActiveState") == "failed":
        return [_with_socket(each, socket, service) for each in _units.judge(service, address, False, 0.0, lines, why)]
    runs = service.get("ActiveState") == "active"
    still = f", though {service['Id']} runs, which is handed its socket" if runs else ""
    message = f"{socket['Id']}, which should listen on {address}, is not running{still}."
    start = f"systemctl enable --now {shlex.quote(socket['Id'])}"
    fix = f"systemctl stop {_short(service)} && {start}" if runs else start
    state = f"{socket['Id']}: {socket.get('ActiveState')} ({socket.get('Result')}), {socket.get('UnitFileState')}"
    return [Finding(BROKEN, "unit_stopped", message, (state,), fix)]


def _with_socket(finding: Finding, socket: Unit, service: Unit) -> Finding:
    """The finding with a fix that also starts the socket, at which systemd gave up as the service failed again and again."""
    name = re.escape(_short(service))
    both = f"systemctl reset-failed {_short(service)}; systemctl restart {shlex.quote(socket['Id'])}"
    fix = re.sub(
        rf"(?:systemctl reset-failed {name}; )?systemctl restart {name}(?![\w@-]|\.\w)", lambda _match: both, finding.fix
    )
    return replace(finding, fix=fix)


def _short(service: Unit) -> str:
    return shlex.quote(service["Id"].removesuffix(".service"))
