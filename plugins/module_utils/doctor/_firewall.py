# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Whether this host's own packet filter lets visitors in. That of a provider cannot be seen from here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _packet_filters
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._packet_filters import PacketFilters
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host import _ufw
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Chain, Connection

NAMES = 5
"""Sites that are named in a finding at most."""


def ports(sites: Iterable[Site]) -> dict[tuple[int, int], list[str]]:
    """The ports on which sites wait for visitors from outside: by port and version of IP, the names of the sites. Pure."""
    found: dict[tuple[int, int], list[str]] = {}
    for site in sites:
        for listen in (listen for server in site.servers for listen in server.listens if site.upstreams):
            host = listen.host
            if listen.port is None or listen.quic or host.startswith("127.") or host == "::1":
                continue
            names = found.setdefault((listen.port, 6 if ":" in host else 4), [])
            names += [] if site.name in names else [site.name]
    return found


def look(sites: Sequence[Site]) -> tuple[list[Finding], set[int]]:
    """Find ports that the packet filter closes.

    :returns: the findings, and the ports
    """
    wanted = ports(sites)
    if not wanted:
        return [], set()
    filters = _packet_filters.look()
    closed = {key: chain for key in wanted for chain in [filters.refusing(Connection(key[0], version=key[1]))] if chain}
    if not closed:
        return [], set()
    numbers = {port for port, _version in closed}
    fix, quick = _fix(filters, sorted(numbers), next(iter(closed.values())))
    return [replace(judge(closed, wanted), fix=fix, quick_fix=quick)], numbers


def judge(closed: Mapping[tuple[int, int], Chain], wanted: Mapping[tuple[int, int], Sequence[str]]) -> Finding:
    """One finding for all closed ports. Pure."""
    numbers = sorted({port for port, _version in closed})
    names = list(dict.fromkeys(name for key in closed for name in wanted[key]))
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    what = f"port{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
    message = (
        f"The firewall of this host blocks connections on {what}: visitors of {', '.join(names[:NAMES])}{more} get no answer, "
        "unless they come by a tunnel or proxy on this host."
    )
    evidence = tuple(f"port {port}, IPv{version}: refused in {chain.place}" for (port, version), chain in closed.items())
    return Finding(WARNING, "firewall", message, evidence)


def _fix(filters: PacketFilters, numbers: Sequence[int], chain: Chain) -> tuple[str, str]:
    """The fix that opens ports for everybody, and the quick one."""
    with contextlib.suppress(StackError):
        if chain.tool != "nft" and _ufw.inactive() is None:
            return " && ".join(f"ufw allow {port}/tcp" for port in numbers), ""
    if chain.table.endswith(" firewalld"):
        added = [f"firewall-cmd -q --permanent --add-port={port}/tcp" for port in numbers]
        return " && ".join([*added, "firewall-cmd -q --reload"]), ""
    match = f"tcp dport {{ {', '.join(map(str, numbers))} }}"
    return _packet_filters.accepted(filters, chain, match, f"-p tcp -m multiport --dports {','.join(map(str, numbers))}")
