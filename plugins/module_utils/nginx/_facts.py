# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the host's nginx is and does: its version, and the certificates that it serves."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import read, served

JOBS = 8
"""Sites at once; openssl takes some 10 ms for each."""


def versions() -> dict[str, str]:
    """The versions of nginx and of its OpenSSL, such as ``{"nginx": "1.22.1", "openssl": "3.0.15"}``.

    If nginx is not installed, those of the packages that would be installed. What is not known is missing.
    """
    shown = run(["nginx", "-V"])
    if shown.code == 0:
        number = re.search(r"nginx version: \S+?/([0-9.]+)", shown.output)
        library = re.search(r"running with OpenSSL ([0-9.]+)", shown.output) or re.search(r"OpenSSL ([0-9.]+)", shown.output)
    else:
        policy = run(["apt-cache", "policy", "nginx"], environment={"LC_ALL": "C.UTF-8"})
        number = re.search(r"Candidate: (?:[0-9]+:)?([0-9.]+)", policy.output)
        library = re.search(r"OpenSSL ([0-9.]+)", run(["openssl", "version"]).output)
    return {name: found[1] for name, found in (("nginx", number), ("openssl", library)) if found}


def outdated(sites: Sequence[Mapping[str, Any]], root: str = _sites.DIRECTORY) -> list[str]:
    """The sites for which nginx serves another certificate than it should, until it is reloaded.

    Determined by connecting to nginx, since a run that was killed may have changed the symlink without a reload. Sites that
    nginx is not configured for yet are not among them.
    """

    def stale(site: Mapping[str, Any]) -> bool:
        chain = os.path.join(_sites.live(site["name"], root), _sites.CHAIN)
        if not _presented.configured(site["name"], chain):
            return False
        shown = served(site["port"], (site["domains"] or ["localhost"])[0].replace("*", "www", 1))
        return bool(shown) and shown != read(chain, "").fingerprint

    with ThreadPoolExecutor(JOBS) as pool:
        return [site["name"] for site, is_stale in zip(sites, pool.map(stale, sites)) if is_stale]


def stapled(sites: Sequence[Mapping[str, Any]], given: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The sites with mode ``files`` whose certificate names an OCSP responder (RFC 6960). Let's Encrypt's no longer do.

    :param given: ``chain`` and ``key`` of the files that were read on the controller, by the name of the site
    """
    found = []
    for site in sites:
        if site["mode"] != "files":
            continue
        source = ["-in", site["certificate"]] if site["on_host"] else []
        chain = given.get(site["name"], {}).get("chain", "").encode()
        asked = run(["openssl", "x509", "-noout", "-ocsp_uri", *source], stdin=chain)
        if asked.code == 0 and asked.output.startswith("http"):
            found.append(site["name"])
    return found
