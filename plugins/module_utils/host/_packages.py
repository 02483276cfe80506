# SPDX-License-Identifier: GPL-3.0-or-later
"""What Debian's package management knows of packages."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

LISTS = "/var/lib/apt/lists/*_Packages*"


def installed(names: Iterable[str]) -> set[str]:
    """Which packages are installed."""
    wanted = sorted(set(names))
    if not wanted:
        return set()
    shown = run(["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\\n", *wanted]).output
    return set(re.findall(r"^installed (\S+)$", shown, re.MULTILINE))


def installable(names: Iterable[str]) -> set[str]:
    """Which packages apt could install: all of them as long as it has no lists of packages, as on a new host."""
    wanted = sorted(set(names))
    if not wanted or not glob.glob(LISTS):
        return set(wanted)
    return candidates(run(["apt-cache", "policy", "--", *wanted]).output)


def candidates(policy: str) -> set[str]:
    """The packages that have a candidate, in what ``apt-cache policy`` prints."""
    return set(re.findall(r"^(\S+):\n.*\n  Candidate: [^(\n]", policy, re.MULTILINE))


def listed(names: Iterable[str]) -> str:
    """Packages in words, each once."""
    words = list(dict.fromkeys(names))
    if len(words) == 1:
        return f"the package {words[0]}"
    return f"the packages {', '.join(words[:-1])} and {words[-1]}"
