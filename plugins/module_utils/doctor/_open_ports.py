# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Ports of apps that strangers reach past nginx. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _packet_filters
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._packet_filters import PacketFilters
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import applied

EVERYWHERE = {"0.0.0.0": (4,), "*": (4, 6), "[::]": (4, 6)}
"""How ss(8) prints that a socket listens on all addresses, and the versions of IP that it does so for."""

PUBLISHED = "docker-proxy"


def judge(
    address: str,
    protocol: str,
    bound: str,
    command: str,
    files: Mapping[str, str],
    restart: str,
    own: set[str],
    filters: PacketFilters,
) -> list[Finding]:
    """Warn that an app listens for strangers too.

    :param address: the address by which nginx connects
    :param bound: the address that it listens on, as ss(8) prints it
    :param command: the name of the program that listens
    :param files: the text of the configuration files that only root can change, by path
    :param restart: the command that restarts the app
    :param own: the IP addresses of this host
    """
    host, _colon, port = bound.rpartition(":")
    plain = host.strip("[]").partition("%")[0]
    versions = EVERYWHERE.get(host, (6 if ":" in plain else 4,))
    if address.startswith("unix:") or not port.isdigit() or (host not in EVERYWHERE and plain not in own):
        return []
    if plain.startswith("127.") or plain == "::1":
        return []
    published = command == PUBLISHED  # its rules let visitors in before those of a firewall for the host are asked
    if not published and not any(_packet_filters.exposed(filters, int(port), version) for version in versions):
        return []
    harm = "requests that bypass it come without its TLS, limits and checks, and may forge X-Forwarded-For"
    if protocol == "uwsgi":
        harm = "whoever speaks its protocol uwsgi can have it run any code"
    message = f"The app at {address} listens on {bound}, which not only nginx reaches: {harm}."
    fix = _published(port) if published else _bound(address, port, files, restart)
    return [Finding(WARNING, "port_open", message, (f"listens on {bound}, and no firewall rule refuses strangers",), fix)]


def _published(port: str) -> str:
    return f"Publish the port of the container on the loopback interface alone, as 127.0.0.1:{port}."


def _bound(address: str, port: str, files: Mapping[str, str], restart: str) -> str:
    """How to have an app listen only where nginx connects."""
    host = address.rpartition(":")[0]
    wanted = "127.0.0.1" if host == "localhost" else host
    written = re.compile(rf"(?<![\w.:\]])(?:0\.0\.0\.0|\*|\[::\])?:{port}(?!\d)")
    naming = {path: set(written.findall(text)) for path, text in files.items() if written.search(text)}
    if len(naming) == 1 and re.fullmatch(r"[\w.\[\]:-]+", wanted):
        ((path, spellings),) = naming.items()
        again = applied(path, restart)
        if len(spellings) == 1 and again:
            pattern = re.sub(r"([.*\[\]])", r"\\\1", spellings.pop())
            change = shlex.quote(f"s/{pattern}/{wanted}:{port}/")
            return f"sed -i --follow-symlinks {change} {shlex.quote(path)} && {again}"
    where = f" in {' and '.join(naming)}" if naming else ""
    return f"Have the app listen on {wanted}:{port}{where}, then run: {restart}."
