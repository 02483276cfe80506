# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this host's own packet filter lets visitors in. That of a provider cannot be seen from here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packet_filter, _ufw, _untrusted

FILE = "/etc/nftables.conf"
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
    rules = _packet_filter.read()
    closed = {key: rule for key in wanted for rule in [_packet_filter.blocked(rules, *key)] if rule}
    if not closed:
        return [], set()
    numbers = {port for port, _version in closed}
    return [judge(closed, wanted, _fix(numbers, next(iter(closed.values()))))], numbers


def judge(closed: Mapping[tuple[int, int], str], wanted: Mapping[tuple[int, int], Sequence[str]], fix: str) -> Finding:
    """One finding for all closed ports. Pure."""
    numbers = sorted({port for port, _version in closed})
    names = list(dict.fromkeys(name for key in closed for name in wanted[key]))
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    what = f"port{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
    message = (
        f"The firewall of this host lets nobody in on {what}: visitors of {', '.join(names[:NAMES])}{more} get no answer, "
        "unless they come by a tunnel or proxy on this host."
    )
    evidence = tuple(f"port {port}, IPv{version}: {rule}" for (port, version), rule in closed.items())
    return Finding(WARNING, "firewall", message, evidence, fix)


def _fix(numbers: set[int], rule: str) -> str:
    try:
        if _ufw.inactive() is None:
            return " && ".join(f"ufw allow {port}/tcp" for port in sorted(numbers))
    except StackError:
        pass
    chain = re.search(r"chain (ip|ip6|inet) ([\w.-]+) ([\w.-]+)", rule)
    listed = ", ".join(map(str, sorted(numbers)))
    if chain and _kept(chain[3]):
        opened = f"tcp dport {{ {listed} }} accept"
        lasting = f"sed -i '/hook input/a {opened}' {FILE} && nft -c -f {FILE}"
        return f"{lasting} && nft 'insert rule {chain[1]} {chain[2]} {chain[3]} {opened}'"
    return f"Let new TCP connections to {listed} in, where this host's firewall rules are kept."


def _kept(chain: str) -> bool:
    """Whether the file of nftables.service has that chain for incoming packets, and no other."""
    text = _untrusted.text_or_none(FILE) or ""
    written = re.findall(r"chain\s+([\w.-]+)\s*\{\s*type filter hook input priority[^\n;]*;[^\n]*\n", text)
    return (
        os.path.exists("/etc/systemd/system/sysinit.target.wants/nftables.service")
        and written == [chain]
        and (text.count("hook input") == 1)
    )
