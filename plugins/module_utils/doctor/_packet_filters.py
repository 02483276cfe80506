# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The packet filters of this host: whether they keep nginx from an app, or strangers from an app's port."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _filter_chains, _iptables, _nftables, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Chain, Connection

STRANGER = {4: "198.51.100.7", 6: "2001:db8::7"}
"""An address that no host has: RFC 5737, RFC 3849."""

LOCAL = {4: "127.0.0.1", 6: "::1"}
INNER = re.compile(r"lo|docker\d*|br-.*|veth.*|virbr.*|cali.*|cni.*|flannel.*|lxc.*")
"""Interfaces that no stranger comes in by: those of containers and virtual machines on this host."""

NFTABLES = "/etc/nftables.conf"


@dataclass(frozen=True)
class PacketFilters:
    """The packet filters of this host.

    :ivar nft: see ``_nftables.ruleset``; ``iptables``: see ``_iptables.saved``
    :ivar interfaces: the interfaces that strangers may come in by
    :ivar persistent: whether netfilter-persistent(8) keeps the rules of iptables
    :ivar file: the text of ``NFTABLES``, if it is loaded at boot
    """

    nft: str = ""
    iptables: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()
    persistent: bool = False
    file: str = ""
    _known: dict[Connection, Chain | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def refusing(self, connection: Connection) -> Chain | None:
        """The chain that certainly refuses a connection, by whatever interface it comes in."""
        if connection not in self._known:
            self._known[connection] = self._refusing(connection)
        return self._known[connection]

    def _refusing(self, connection: Connection) -> Chain | None:
        found = None
        for name in self.interfaces if not connection.incoming and not connection.outgoing else ("",):
            coming = replace(connection, incoming=name or connection.incoming)
            rules = [_iptables.chains(text, coming) for text in self.iptables.get(connection.version, ())]
            rules.append(_nftables.chains(self.nft, coming))  # those of iptables again, as far as nft understands them
            found = next((chain for chain in (_filter_chains.refusing(each, coming) for each in rules) if chain), None)
            if found is None:
                return None
        return found


def look() -> PacketFilters:
    """Read the packet filters of this host. Only root may."""
    if os.geteuid() != 0:
        return PacketFilters()
    enabled = _systemd.properties("nftables.service", ["UnitFileState"]).get("UnitFileState") == "enabled"
    return PacketFilters(
        nft=_nftables.ruleset(),
        iptables=_iptables.saved(),
        interfaces=tuple(name for name in _untrusted.entries("/sys/class/net") if not INNER.fullmatch(name)),
        persistent=os.path.exists("/usr/sbin/netfilter-persistent"),
        file=_untrusted.configuration(NFTABLES) if enabled else "",
    )


def exposed(filters: PacketFilters, port: int, version: int) -> bool:
    """Whether strangers may get through to a port. Pure."""
    return filters.refusing(Connection(port, version=version, source=STRANGER[version])) is None


def judge_app(filters: PacketFilters, address: str, uid: int) -> list[Finding]:
    """Find that nginx is kept from an app's port on the loopback interface. Pure.

    :param address: ``host:port``
    :param uid: the user of nginx's workers
    """
    host, _colon, port = address.rpartition(":")
    version = 6 if host == "[::1]" else 4
    if address.startswith("unix:") or not port.isdigit() or not (host == "localhost" or host.strip("[]") in LOCAL.values()):
        return []
    here = Connection(int(port), version=version, source=LOCAL[version], destination=LOCAL[version])
    out = replace(here, hooks=("output", "postrouting"), outgoing="lo", uid=uid)
    chain = filters.refusing(out) or filters.refusing(replace(here, incoming="lo"))
    if chain is None:
        return []
    message = f"The firewall refuses connections of this host to itself, so nginx does not reach the app at {address}."
    outgoing = chain.hook in out.hooks
    match = f"{'oifname' if outgoing else 'iifname'} lo"
    fix, quick = accepted(filters, chain, match, f"{'-o' if outgoing else '-i'} lo")
    return [Finding(BROKEN, "firewall_loopback", message, (chain.place,), fix, quick_fix=quick)]


def accepted(filters: PacketFilters, chain: Chain, nft: str, iptables: str) -> tuple[str, str]:
    """The fix that adds a rule, now and for the next boot; or a sentence, and the command that adds it now.

    :param nft: what the rule is to match in the language of nft, ``iptables`` in that of iptables
    """
    name = shlex.quote(chain.name)
    if chain.tool != "nft":
        now = f"{chain.tool} -I {name} {iptables} -j ACCEPT"
        if filters.persistent:
            return f"{now} && netfilter-persistent save", ""
        return f"Add '{iptables} -j ACCEPT' to the rules of {name}, where {chain.tool} gets them from at boot.", now
    now = f"nft insert rule {chain.table} {name} {nft} accept"
    heads = re.findall(r"^[ \t]*type filter hook (\w+)\b.*;[ \t]*$", filters.file, re.MULTILINE)
    if heads.count(chain.hook) == 1:
        return f"sed -i '/type filter hook {chain.hook} .*;[ \\t]*$/a {nft} accept' {NFTABLES} && {now}", ""
    return f"Add '{nft} accept' to {chain.place}, where nft gets it from at boot.", now
