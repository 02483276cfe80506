# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Upstream groups all of whose servers are marked ``down``: nginx then has no server to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _edit, _routing
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._routing import Route
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Target

Groups = Mapping[str, Sequence[Directive]]


def look(configuration: Configuration, sites: Sequence[Site], timeout: float) -> list[list[Finding]]:
    """Find such groups, and ask their servers whether they would answer.

    :returns: the findings of each site, in their order
    """
    groups = down(configuration)
    if not groups:
        return [[] for _site in sites]
    used = [[(way, server) for server in site.servers for way in ways(server, configuration, groups)] for site in sites]
    targets: dict[tuple[str, str], Target] = {}
    for route, server in (pair for pairs in used for pair in pairs):
        for member in groups[group_of(route)]:
            address, protocol = _address(member), _routing.PASSES[route.directive.name]
            host = next((name for name in server.names if name[:1].isalnum()), "localhost")
            targets[address, protocol] = Target(address, "tcp" if route.guarded else protocol, "/", host, (), _edit.place(member))
    accesses = _examine.examine(list(targets.values()), timeout=timeout)
    answering = {key for key, access in zip(targets, accesses) if access.ok}
    return [[judge(route, groups[group_of(route)], answering) for route, _server in pairs] for pairs in used]


def down(configuration: Configuration) -> dict[str, list[Directive]]:
    """The servers of each group that has no other ones. Pure."""
    found = {}
    for directive in configuration.http:
        members = [each for each in directive.block or () if each.name == "server" and each.arguments]
        if directive.name == "upstream" and directive.arguments and members and all("down" in each.arguments for each in members):
            found[directive.arguments[0]] = members
    return found


def ways(server: ServerBlock, configuration: Configuration, groups: Groups) -> list[Route]:
    """The ways of a server block that lead to some groups. Pure."""
    return [route for route in _routing.routes(server.block, configuration.http) if group_of(route) in groups]


def group_of(route: Route) -> str:
    """The name of the group that a directive may mean. Pure."""
    return _configuration.address_of(route.directive.name, route.directive.arguments[0])[1]


def _address(member: Directive) -> str:
    address = member.arguments[0]
    return address if address.startswith("unix:") or ":" in address else f"{address}:80"


def judge(route: Route, members: Sequence[Directive], answering: set[tuple[str, str]]) -> Finding:
    """Judge a way to a group. It reads the files in which its servers are.

    :param answering: address and protocol of the servers that answer
    """
    protocol, name = _routing.PASSES[route.directive.name], group_of(route)
    ready = [member for member in members if (_address(member), protocol) in answering]
    message = f"All servers of the upstream group {name} are marked down: nginx asks none of them, and visitors get 502."
    evidence = tuple(f"{_edit.place(member)}: server {' '.join(member.arguments)}" for member in members)
    edits = []
    for member in ready:
        old = " ".join(("server", *member.arguments))
        new = " ".join(("server", *(word for word in member.arguments if word != "down")))
        edits.append(_edit.edit(member.file, member.line, old, new))
    fix = _edit.applied(edits)
    if not fix:
        undo = f"emove the word down at {_edit.place(members[0])}, and reload nginx."
        fix = f"R{undo}" if ready else f"Let a server listen there, then r{undo}"
    return Finding(BROKEN, "upstream_down", message, evidence, fix)
