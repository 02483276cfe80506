# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The host's clock."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

BEHIND, AHEAD = 60.0, 180.0
"""Seconds by which a clock may seem wrong. Between the controller's look at its own clock and the host's at its, time passes."""

SERVICES = ("systemd-timesyncd.service", "chrony.service", "chronyd.service", "ntp.service", "ntpsec.service", "openntpd.service")
TIMEOUT = 10  # seconds


@dataclass(frozen=True)
class Clock:
    """The clock.

    :ivar now: seconds since the epoch
    :ivar container: whether this is a container, whose clock is that of its host
    :ivar service: the service that sets the clock, "" if none runs
    :ivar installed: the service that could
    :ivar synchronized: whether the kernel says that the clock is right
    """

    now: float = 0.0
    container: bool = False
    service: str = ""
    installed: str = ""
    synchronized: bool = True


def look() -> Clock:
    """Read this host's clock."""
    now = time.time()
    contained = run(["systemd-detect-virt", "--quiet", "--container"], timeout=TIMEOUT).code == 0
    units = _systemd.show(SERVICES, ["LoadState", "ActiveState"])
    active = next((name for name, unit in units.items() if unit.get("ActiveState") == "active"), "")
    installed = next((name for name, unit in units.items() if unit.get("LoadState") == "loaded"), "")
    shown = run(["timedatectl", "show", "--property=NTPSynchronized", "--value"], timeout=TIMEOUT)
    return Clock(now, contained, active, installed, shown.output.strip() != "no" or os.geteuid() != 0)


def judge(clock: Clock, reference: float) -> list[Finding]:
    """Find that the clock is wrong, or that nothing sets it. Pure.

    :param reference: the time by the controller's clock shortly before, 0 if unknown
    """
    difference = clock.now - reference if reference else 0.0
    if not -BEHIND <= difference <= AHEAD:
        message = (
            f"This host's clock is {_span(abs(difference))} {'ahead of' if difference > 0 else 'behind'} the controller's: TLS "
            "connections, logins and certificate renewals fail if a clock is wrong."
        )
        fix = "Set the clock of the machine that this container runs on." if clock.container else _setting(clock)
        seen = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(clock.now))
        return [Finding(WARNING, "clock", message, (f"the host's clock: {seen}",), fix)]
    if clock.container or clock.synchronized or clock.service:
        return []
    message = "Nothing sets this host's clock: it will be wrong sooner or later."
    return [Finding(NOTE, "clock_not_synchronized", message, ("NTPSynchronized=no",), _setting(clock))]


def _setting(clock: Clock) -> str:
    if clock.service:
        return f"systemctl restart {clock.service.removesuffix('.service')}"
    if clock.installed:
        return f"systemctl enable --now {clock.installed.removesuffix('.service')}"
    return "apt-get install -y systemd-timesyncd"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
