# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""A finding of the doctor and its severity."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

BROKEN, WARNING, NOTE = SEVERITIES = ("broken", "warning", "note")
"""``broken``: visitors get an error now; ``warning``: it will break, or it is dangerous; ``note``: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One problem.

    :ivar code: stable identifier for programs
    :ivar message: what is wrong, one sentence
    :ivar evidence: lines of what was seen
    :ivar fix: a command for root's shell, or a sentence, which begins with a capital letter and ends with a full stop
    :ivar site: the name of the site, "" if it concerns the host
    :ivar quick_fix: a command that helps meanwhile, if the fix is a sentence or takes longer
    """

    severity: str
    code: str
    message: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    site: str = ""
    quick_fix: str = ""

    def result(self) -> dict[str, object]:
        """The finding as modules return it."""
        return {**vars(self), "evidence": list(self.evidence)}

    def at(self, site: str) -> Finding:
        """The same finding, assigned to a site."""
        return replace(self, site=site)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted by severity, the worst first, without duplicates."""
    return sorted(dict.fromkeys(findings), key=lambda finding: SEVERITIES.index(finding.severity))


def worst(findings: Iterable[Finding]) -> str:
    """The worst severity, "ok" without findings."""
    return next((finding.severity for finding in ordered(findings)), "ok")


def counted(findings: Iterable[Finding]) -> str:
    """The number of each severity: ``1 broken, 2 warnings``, or ``no finding``."""
    severities = [finding.severity for finding in findings]
    plural = {BROKEN: BROKEN, WARNING: "warnings", NOTE: "notes"}
    counts = [(severities.count(severity), severity) for severity in SEVERITIES]
    return (
        ", ".join(f"{count} {severity if count == 1 else plural[severity]}" for count, severity in counts if count)
        or "no finding"
    )


def moment(seconds: float) -> str:
    """Format a time in the host's time zone.

    :param seconds: since the epoch
    """
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def allow_backlog(count: int) -> str:
    """The command that raises the limit for listen queues, now and after a reboot.

    :param count: connections
    """
    return (
        f"echo 'net.core.somaxconn = {count}' > /etc/sysctl.d/80-somaxconn.conf && sysctl -q -p /etc/sysctl.d/80-somaxconn.conf"
    )


def size(count: float) -> str:
    """Format a number of bytes."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
