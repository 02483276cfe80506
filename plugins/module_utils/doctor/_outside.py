# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What keeps visitors from a site although its app runs, seen from outside: by requests, and by what is configured for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _down_groups,
    _firewall,
    _listens,
    _reach,
    _unused_files,
    _upstream_tls,
    _visitor,
    _ways,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._attempts import Attempts
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration


def look(
    configuration: Configuration,
    running: bool,
    sites: Sequence[Site],
    backends: Mapping[tuple[str, str], Backend],
    own: set[str],
    timeout: float,
) -> list[Finding]:
    """Add to each site what keeps visitors from it.

    :param running: whether nginx runs
    :param own: the IP addresses of this host
    :param timeout: seconds that an app has to answer
    :returns: the findings that belong to no site
    """
    attempts = Attempts()
    mine = _reach.addresses(own)
    attempts.make("TLS to the apps", lambda: _upstream_tls.look(backends.values(), own, timeout))
    closed, ports = attempts.make("The firewall", lambda: _firewall.look(sites)) or ([], set())
    groups = attempts.make("Upstream groups", lambda: _down_groups.look(configuration, sites, timeout))
    visits: list[list[Finding]] | None = None
    if running:
        visits = attempts.make("What nginx answers", lambda: _visitor.look(configuration, sites, backends, mine, ports, timeout))
    for number, site in enumerate(sites):
        found = groups[number] if groups else []
        visited = visits[number] if visits and not found else []
        reached = attempts.make(f"The addresses of {site.name}", partial(_reach.judge, site, configuration.servers, mine))
        ways = attempts.make(f"The locations of {site.name}", partial(_ways.judge, site, configuration, mine))
        aliases = attempts.make(f"The aliases of {site.name}", partial(_ways.aliases, site))
        listens = attempts.make(f"The ports of {site.name}", partial(_listens.judge, site, configuration, mine))
        known = [*found, *(ways or []), *(reached or []), *(listens or []), *visited]
        site.findings = [*known, *site.findings, *(aliases or [])]
    unused = attempts.make("Files that nginx does not read", lambda: _unused_files.look(configuration))
    return [*closed, *(unused or []), *attempts.failed]
