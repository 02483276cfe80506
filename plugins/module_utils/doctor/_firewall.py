# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall: whether it keeps visitors from nginx, nginx from an app, and strangers from an app's port."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import (
    _filter_chains,
    _iptables,
    _nftables,
    _systemd,
    _ufw,
    _untrusted,
)
from ansible_collections.wsgi.stack.plugins.module_utils.host._filter_chains import Chain, Connection
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Listen, ServerBlock

STRANGER = {4: "198.51.100.7", 6: "2001:db8::7"}
"""An address of nobody's: RFC 5737, RFC 3849."""

LOCAL = {4: "127.0.0.1", 6: "::1"}
INNER = re.compile(r"lo|docker\d*|br-.*|veth.*|virbr.*|cali.*|cni.*|flannel.*|lxc.*")
"""Interfaces that no visitor comes in by: those of containers and virtual machines on this host."""

TUNNELS = ("cloudflared.service", "frpc.service", "ngrok.service")
"""Services that bring visitors in over a connection from inside."""

NFTABLES = "/etc/nftables.conf"


@dataclass(frozen=True)
class Firewall:
    """The packet filters of this host.

    :ivar nft: see ``_nftables.ruleset``; ``iptables``: see ``_iptables.saved``
    :ivar interfaces: the interfaces that visitors may come in by
    :ivar manager: ``ufw`` or ``firewalld``, if active
    :ivar tunnel: the service that brings visitors in from inside, "" without one
    :ivar persistent: whether netfilter-persistent(8) keeps the rules of iptables
    :ivar file: the text of ``NFTABLES``, if it is loaded at boot
    """

    nft: str = ""
    iptables: Mapping[int, str] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()
    manager: str = ""
    tunnel: str = ""
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
            chains = _nftables.chains(self.nft, coming)
            chains.update(_iptables.chains(self.iptables.get(connection.version, ""), coming))
            found = _filter_chains.refusing(chains, coming)
            if found is None:
                return None
        return found


def look() -> Firewall:
    """Read the packet filters of this host. Only root may."""
    if os.geteuid() != 0:
        return Firewall()
    units = _systemd.show([*TUNNELS, "firewalld.service", "nftables.service"], ["ActiveState", "UnitFileState"])
    active = {name for name, unit in units.items() if unit.get("ActiveState") == "active"}
    enabled = units.get("nftables.service", {}).get("UnitFileState") == "enabled"
    return Firewall(
        nft=_nftables.ruleset(),
        iptables=_iptables.saved(),
        interfaces=tuple(name for name in _untrusted.entries("/sys/class/net") if not INNER.fullmatch(name)),
        manager="firewalld" if "firewalld.service" in active else "ufw" if _has_ufw() else "",
        tunnel=next((name for name in TUNNELS if name in active), ""),
        persistent=os.path.exists("/usr/sbin/netfilter-persistent"),
        file=_untrusted.configuration(NFTABLES) if enabled else "",
    )


def _has_ufw() -> bool:
    try:
        return _ufw.inactive() is None
    except StackError:
        return False


def closed(firewall: Firewall, port: int, version: int) -> Chain | None:
    """The chain that refuses visitors of a port, wherever they come from; None if some may get through. Pure."""
    return firewall.refusing(Connection(port, version=version))


def judge_site(firewall: Firewall, servers: Iterable[ServerBlock], versions: Sequence[int]) -> list[Finding]:
    """Find ports of a site that the firewall keeps visitors from. Pure.

    :param versions: the versions of IP that the site's names lead to this host by
    """
    listens = [listen for server in servers for listen in server.listens if listen.port and not loopback(listen)]
    for version in versions:
        ports = {listen.port: listen.tls for listen in listens if listen.port and (":" in _host(listen)) == (version == 6)}
        chains = {port: chain for port in sorted(ports) for chain in [closed(firewall, port, version)] if chain}
        if not chains:
            continue
        bare = len(chains) < len(ports) and not any(ports[port] for port in chains)
        severity = NOTE if bare or firewall.tunnel else BROKEN
        chain = next(iter(chains.values()))
        what = f"port{'' if len(chains) == 1 else 's'} {' and '.join(map(str, chains))}"
        over = " over IPv6" if version == 6 else ""
        message = f"The firewall refuses all connections to {what}{over}: nobody outside this host reaches the site there."
        if firewall.tunnel:
            message = f"{message[:-1]}, except by {firewall.tunnel}."
        fix, quick = _opening(firewall, chain, list(chains))
        return [Finding(severity, "firewall", message, (chain.place,), fix, quick_fix=quick)]
    return []


def judge_app(firewall: Firewall, address: str, uid: int) -> list[Finding]:
    """Find that the firewall keeps nginx from an app's port on the loopback interface. Pure.

    :param address: ``host:port``
    :param uid: the user of nginx's workers
    """
    host, _colon, port = address.rpartition(":")
    version = 6 if host == "[::1]" else 4
    if address.startswith("unix:") or not port.isdigit() or not (host == "localhost" or host.strip("[]") in LOCAL.values()):
        return []
    here = Connection(int(port), version=version, source=LOCAL[version], destination=LOCAL[version])
    out = replace(here, hooks=("output", "postrouting"), outgoing="lo", uid=uid)
    chain = firewall.refusing(out) or firewall.refusing(replace(here, incoming="lo"))
    if chain is None:
        return []
    message = f"The firewall refuses connections of this host to itself, so nginx does not reach the app at {address}."
    outgoing = chain.hook in out.hooks
    match = f"{'oifname' if outgoing else 'iifname'} lo"
    fix, quick = _inserted(firewall, chain, match, f"{'-o' if outgoing else '-i'} lo")
    return [Finding(BROKEN, "firewall", message, (chain.place,), fix, quick_fix=quick)]


def exposed(firewall: Firewall, port: int, version: int) -> bool:
    """Whether strangers may get through to a port. Pure."""
    return firewall.refusing(Connection(port, version=version, source=STRANGER[version])) is None


def loopback(listen: Listen) -> bool:
    """Whether an address of nginx is only for this host."""
    host = _host(listen).strip("[]")
    return host.startswith("127.") or host in ("localhost", "::1")


def _host(listen: Listen) -> str:
    return listen.address.rpartition(":")[0]


def _opening(firewall: Firewall, chain: Chain, ports: Sequence[int]) -> tuple[str, str]:
    """The fix that opens ports for everybody, and the quick one."""
    if firewall.manager == "ufw" and chain.tool != "nft":
        return " && ".join(f"ufw allow {port}/tcp" for port in ports), ""
    if firewall.manager == "firewalld" and "firewalld" in chain.table:
        added = [f"firewall-cmd -q --permanent --add-port={port}/tcp" for port in ports]
        return " && ".join([*added, "firewall-cmd -q --reload"]), ""
    some = f"{{ {', '.join(map(str, ports))} }}" if len(ports) > 1 else str(ports[0])
    return _inserted(firewall, chain, f"tcp dport {some}", f"-p tcp -m multiport --dports {','.join(map(str, ports))}")


def _inserted(firewall: Firewall, chain: Chain, nft: str, iptables: str) -> tuple[str, str]:
    """The fix that adds a rule, now and for the next boot, or a sentence and the command that adds it now.

    :param nft: what the rule is to match in the language of nft, ``iptables`` in that of iptables
    """
    name = shlex.quote(chain.name)
    if chain.tool != "nft":
        now = f"{chain.tool} -I {name} {iptables} -j ACCEPT"
        if firewall.persistent:
            return f"{now} && netfilter-persistent save", ""
        return f"Add '{iptables} -j ACCEPT' to the rules of {name}, where {chain.tool} gets them from at boot.", now
    now = f"nft insert rule {chain.table} {name} {nft} accept"
    heads = re.findall(r"^[ \t]*type filter hook (\w+)\b.*;[ \t]*$", firewall.file, re.MULTILINE)
    if heads.count(chain.hook) == 1:
        return f"sed -i '/type filter hook {chain.hook} .*;[ \\t]*$/a {nft} accept' {NFTABLES} && {now}", ""
    return f"Add '{nft} accept' to {chain.place}, where nft gets it from at boot.", now
