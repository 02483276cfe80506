# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Names that lead to this host by IPv4, and to another one by IPv6. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding

SHOWN = 3
"""Addresses that are named in a message at most."""


def judge(dns: Mapping[str, list[str] | str], own: set[str]) -> list[Finding]:
    """Find AAAA records that were left behind.

    A host without an IPv6 address of its own may be behind a proxy that has one.

    :param dns: the addresses of names, see ``_host.resolve``
    :param own: the IP addresses of this host
    """
    found: list[Finding] = []
    for name, answer in dns.items():
        addresses = [] if isinstance(answer, str) else answer
        here = [address for address in addresses if address in own and ":" not in address and not address.startswith("127.")]
        away = [address for address in addresses if _is_public_six(address) and address not in own]
        if here and away and any(_is_public_six(address) for address in own):
            message = (
                f"The name {name} has the IPv6 address {', '.join(away[:SHOWN])}, which is not this host's, but the IPv4 "
                f"address {', '.join(here[:SHOWN])}, which is: visitors who use IPv6 get to another host."
            )
            fix = f"Correct or delete the AAAA record of {name}."
            found.append(Finding(WARNING, "dns_ipv6_elsewhere", message, (), fix))
    return found


def _is_public_six(address: str) -> bool:
    """Whether it is an address of IPv6 that others reach: not of the loopback interface or of one link."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.version == 6 and not (found.is_loopback or found.is_link_local)
