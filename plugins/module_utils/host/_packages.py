# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: which are installed, and which apt could install."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

LISTS = "/var/lib/apt/lists/*_Packages*"


def installed(names: Iterable[str]) -> set[str]:
    """Those of some packages that are installed."""
    wanted = sorted(set(names))
    if not wanted:
        return set()
    shown = run(["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\\n", *wanted]).output
    return set(re.findall(r"^installed (\S+)$", shown, re.MULTILINE))


def installable(names: Iterable[str]) -> set[str]:
    """Those of some packages that apt could install; all of them while apt has no package lists, as on a new host."""
    wanted = sorted(set(names))
    if not wanted or not glob.glob(LISTS):
        return set(wanted)
    return candidates(run(["apt-cache", "policy", "--", *wanted]).output)


def candidates(policy: str) -> set[str]:
    """The packages with a candidate in the output of ``apt-cache policy``. Pure."""
    return set(re.findall(r"^(\S+):\n.*\n  Candidate: [^(\n]", policy, re.MULTILINE))


def listed(names: Iterable[str]) -> str:
    """``the package a``, or ``the packages a, b and c``; each once, and at least one is needed."""
    words = list(dict.fromkeys(names))
    if len(words) == 1:
        return f"the package {words[0]}"
    return f"the packages {', '.join(words[:-1])} and {words[-1]}"
