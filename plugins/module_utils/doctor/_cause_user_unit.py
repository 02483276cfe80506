# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Servers that are units of a user's own systemd, which runs while the user is logged in, or lingers."""

from __future__ import annotations

import os
import pwd
import shlex

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import Owner, short

LINGER = "/var/lib/systemd/linger"


def lingers(user: str) -> bool:
    """Whether a user's systemd runs from boot on."""
    return os.path.exists(f"{LINGER}/{user}")


def manager_runs(user: str) -> bool:
    """Whether a user's systemd runs now."""
    try:
        return _systemd.is_active(f"user@{pwd.getpwnam(user).pw_uid}.service")
    except KeyError:
        return False


def judge(
    owner: Owner, address: str, served: bool, lingering: bool, managed: bool, log: Why | None, lines: tuple[str, ...]
) -> list[Finding]:
    """Judge a user's unit that should listen on an address. Pure.

    :param lingering: see ``lingers``
    :param managed: see ``manager_runs``
    :param log: what its log says
    """
    user = shlex.quote(owner.user)
    linger = f"loginctl enable-linger {user}"
    what = f"{owner.unit}, a unit of the user {owner.user}'s own systemd,"
    if served and lingering:
        return []
    if served:
        message = f"{what} listens on {address} only while {owner.user} is logged in, and is not started at boot (no linger)."
        return [Finding(WARNING, "user_not_lingering", message, (f"{LINGER}/{owner.user} does not exist",), linger)]
    start = owner.of_user(f"enable --now {short(owner.unit)}")
    before = "" if lingering else f"{linger} && sleep 2 && "
    if not managed:
        message = f"{what} should listen on {address}, but that systemd runs only while {owner.user} is logged in (no linger)."
        return [Finding(BROKEN, "user_not_lingering", message, lines, f"{before}{start}")]
    if log:
        return [
            Finding(
                BROKEN,
                log.code or "unit_failed",
                f"{what} should listen on {address}: {log.text}.",
                (*lines, *log.evidence),
                log.fix,
            )
        ]
    return [Finding(BROKEN, "unit_stopped", f"{what} should listen on {address}, and is not running.", lines, f"{before}{start}")]
