# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor finds, and how bad it is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

BROKEN, WARNING, NOTE = SEVERITIES = ("broken", "warning", "note")
"""``broken``: a visitor gets an error now; ``warning``: it will break, or is dangerous; ``note``: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    :ivar code: what it is, in a word, for programs
    :ivar message: the same in a message
    :ivar evidence: lines of what was seen
    :ivar fix: a command, or a message
    :ivar site: the site that it was found at, "" for the host
    """

    severity: str
    code: str
    message: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    site: str = ""

    def result(self) -> dict[str, object]:
        """The finding as modules return it."""
        return {**vars(self), "evidence": list(self.evidence)}

    def at(self, site: str) -> Finding:
        """The same, found at a site."""
        return replace(self, site=site)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, each once."""
    return sorted(dict.fromkeys(findings), key=lambda finding: SEVERITIES.index(finding.severity))


def worst(findings: Iterable[Finding]) -> str:
    """The worst severity, "ok" without any finding."""
    return next((finding.severity for finding in ordered(findings)), "ok")


def counted(findings: Iterable[Finding]) -> str:
    """How many of each severity, in words: ``1 broken, 2 warnings``; ``no finding``."""
    severities = [finding.severity for finding in findings]
    plural = {BROKEN: BROKEN, WARNING: "warnings", NOTE: "notes"}
    counts = [(severities.count(severity), severity) for severity in SEVERITIES]
    return (
        ", ".join(f"{count} {severity if count == 1 else plural[severity]}" for count, severity in counts if count)
        or "no finding"
    )


def moment(seconds: float) -> str:
    """A point in time, as the clock of the host shows it.

    :param seconds: since the epoch
    """
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def allow_backlog(count: int) -> str:
    """The command that lets listen queues be longer, now and after the next boot.

    :param count: connections
    """
    return (
        f"echo 'net.core.somaxconn = {count}' > /etc/sysctl.d/80-somaxconn.conf && sysctl -q -p /etc/sysctl.d/80-somaxconn.conf"
    )


def size(count: float) -> str:
    """A number of bytes in words."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
