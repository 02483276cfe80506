# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Debian packages: which are installed, and which apt could install."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

HEADERS = {
    "uuid/*": "uuid-dev",
    "sys/capability.h": "libcap-dev",
    "openssl/*": "libssl-dev",
    "pcre.h": "libpcre3-dev",
    "pcre2.h": "libpcre2-dev",
    "zlib.h": "zlib1g-dev",
    "std*.h": "libc6-dev",
    "limits.h": "libc6-dev",
    "asm/*": "linux-libc-dev",
    "linux/*": "linux-libc-dev",
    "curl/*": "libcurl4-openssl-dev",
    "libxml/*": "libxml2-dev",
    "security/*": "libpam0g-dev",
    "sqlite3.h": "libsqlite3-dev",
    "zmq.h": "libzmq3-dev",
    "ldap.h": "libldap-dev",
    "libpq-fe.h": "libpq-dev",
    "GeoIP.h": "libgeoip-dev",
}
"""The Debian package that ships a C header, by a pattern for its path below an include directory."""

LISTS = "/var/lib/apt/lists/*_Packages*"


def installed(names: Iterable[str]) -> set[str]:
    """Those of some packages that are installed."""
    wanted = sorted(set(names))
    if not wanted:
        return set()
    shown = run(["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\\n", *wanted]).output
    return set(re.findall(r"^installed (\S+)$", shown, re.MULTILINE))


def has_lists() -> bool:
    """Whether apt has package lists. A new host has none."""
    return bool(glob.glob(LISTS))


def installable(names: Iterable[str]) -> set[str]:
    """Those of some packages that apt could install; all of them while apt has no package lists, as on a new host."""
    wanted = sorted(set(names))
    if not wanted or not has_lists():
        return set(wanted)
    return candidates(run(["apt-cache", "policy", "--", *wanted]).output)


def candidates(policy: str) -> set[str]:
    """The packages with a candidate in the output of ``apt-cache policy``. Pure."""
    return set(re.findall(r"^(\S+):\n.*\n  Candidate: [^(\n]", policy, re.MULTILINE))


def of_header(header: str) -> str | None:
    """The Debian package that ships a C header, such as ``libssl-dev`` for ``openssl/ssl.h``; None if it is not known."""
    return next((package for pattern, package in HEADERS.items() if fnmatch.fnmatchcase(header, pattern)), None)


def listed(names: Iterable[str]) -> str:
    """``the package a``, or ``the packages a, b and c``; each once, and at least one is needed."""
    words = list(dict.fromkeys(names))
    if len(words) == 1:
        return f"the package {words[0]}"
    return f"the packages {', '.join(words[:-1])} and {words[-1]}"
