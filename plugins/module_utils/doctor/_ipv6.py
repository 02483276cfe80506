# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that lead to this host by IPv6, where nginx does not listen for the site. Pure."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Listen, ServerBlock

OTHERS = 5
"""Addresses that are named in a message at most."""


def versions(dns: Mapping[str, list[str] | str], own: set[str]) -> list[int]:
    """The versions of IP by which visitors come to this host: 4, even if no name leads here, as behind a router.

    :param dns: see ``_host.resolve``
    """
    found = {
        6 if ":" in address else 4 for answer in dns.values() if not isinstance(answer, str) for address in set(answer) & own
    }
    return sorted(found | {4})


def judge(
    servers: Sequence[ServerBlock], every: Sequence[ServerBlock], dns: Mapping[str, list[str] | str], own: set[str]
) -> list[Finding]:
    """Find AAAA records of a site that lead nowhere.

    :param servers: the server blocks of the site, ``every``: those of all sites
    :param dns: the addresses of its names, see ``_host.resolve``
    :param own: the IP addresses of this host
    """
    found: list[Finding] = []
    for name, answer in dns.items():
        addresses = [] if isinstance(answer, str) else answer
        six = [address for address in addresses if _is_six(address) and address in own]
        if six and not any(_covers(listen, six) for server in servers for listen in server.listens):
            found.append(_missing(name, six[0], servers, every))
        here = {address for address in addresses if address in own and ":" not in address}
        away = [address for address in addresses if _is_six(address) and address not in own]
        if here and away and any(_is_six(address) for address in own):
            message = (
                f"The name {name} has the IPv6 address {', '.join(away[:OTHERS])}, which is not this host's, but the IPv4 "
                f"address {', '.join(sorted(here))}, which is: visitors who use IPv6 get to another host."
            )
            fix = f"Correct or delete the AAAA record of {name}."
            found.append(Finding(WARNING, "dns_ipv6_elsewhere", message, (), fix))
    return found


def _missing(name: str, address: str, servers: Sequence[ServerBlock], every: Sequence[ServerBlock]) -> Finding:
    listens = [listen for server in servers for listen in server.listens if listen.port and _is_public(listen)]
    ports = sorted({listen.port for listen in listens if listen.port})
    taken = {listen.port for server in every for listen in server.listens if _covers(listen, [address])}
    what = "another site answers there" if set(ports) & taken else "the connection is refused there"
    message = (
        f"The name {name} has the IPv6 address {address} of this host, but the site listens on IPv4 alone: {what}, and certbot's "
        "validation fails."
    )
    defaults = {listen.port for server in every for listen in server.listens if listen.default and _covers(listen, [address])}
    unclear = any(not listen.file or not listen.line or (listen.default and listen.port in defaults) for listen in listens)
    fix = f"Add 'listen [::]:{ports[0] if ports else 80};' to the server block in {servers[0].file}, and reload nginx."
    if listens and not unclear:
        changes = [*dict.fromkeys(_change(listen) for listen in listens), "nginx -t", "systemctl reload nginx"]
        fix = " && ".join(changes)
    evidence = tuple(f"{listen.file}:{listen.line}: listens on {listen.address}" for listen in listens[:OTHERS])
    return Finding(WARNING, "ipv6_not_listening", message, evidence, fix)


def _change(listen: Listen) -> str:
    """The command that adds the same address of IPv6, with the same options, to the line of a ``listen``."""
    before = r"listen\([ \t]\{1,\}\)\([0-9.*]*:\)\{0,1\}" + str(listen.port) + r"\(\([ \t][^;]*\)\{0,1\}\);"
    after = rf"& listen\1[::]:{listen.port}\3;"
    return f"sed -i --follow-symlinks {shlex.quote(f'{listen.line}s/{before}/{after}/')} {shlex.quote(listen.file)}"


def _covers(listen: Listen, addresses: Iterable[str]) -> bool:
    host = listen.address.rpartition(":")[0]
    if not host.startswith("["):
        return False
    try:
        own = ipaddress.ip_address(host.strip("[]"))
        return own.is_unspecified or any(ipaddress.ip_address(address) == own for address in addresses)
    except ValueError:
        return False


def _is_public(listen: Listen) -> bool:
    host = listen.address.rpartition(":")[0]
    return not host.startswith(("[", "127.", "localhost", "unix"))


def _is_six(address: str) -> bool:
    """Whether it is an address of IPv6 that others reach: not of the loopback interface or of one link."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.version == 6 and not (found.is_loopback or found.is_link_local)
