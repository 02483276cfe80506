# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the settings of a unit keep its server from: paths that it does not see or may not write to, sockets and ports."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _lasting

PROPERTIES = (
    "ProtectHome",
    "ProtectSystem",
    "InaccessiblePaths",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "StateDirectory",
    "CacheDirectory",
    "LogsDirectory",
    "PrivateTmp",
    "PrivateNetwork",
    "IPAddressDeny",
    "IPAddressAllow",
    "RestrictAddressFamilies",
    "AmbientCapabilities",
    "CapabilityBoundingSet",
)
"""The properties of a unit that are read beside ``RuntimeDirectory``."""

HOMES = ("/home", "/root", "/run/user")
"""What ``ProtectHome=`` is about, and ``ProtectSystem=`` is not, not even with ``strict``."""

SYSTEM = {"yes": ("/usr", "/boot", "/efi"), "full": ("/usr", "/boot", "/efi", "/etc"), "strict": ("/",)}
NEVER_PROTECTED = ("/dev", "/proc", "/sys")
OWN = {"RuntimeDirectory": "/run", "StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "LogsDirectory": "/var/log"}
FIRST_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
BINDING = "cap_net_bind_service"

Unit = Mapping[str, str]


def hides(unit: Unit, path: str) -> str:
    """The setting by which a unit does not see a path, "" if it does. Pure."""
    if unit.get("ProtectHome") in ("yes", "tmpfs") and _below(path, HOMES):
        return f"ProtectHome={unit['ProtectHome']}"
    closed = _paths(unit, "InaccessiblePaths")
    return f"InaccessiblePaths={' '.join(closed)}" if _below(path, closed) else ""


def locks(unit: Unit, path: str) -> str:
    """The setting by which a unit may not write to a directory, "" if none forbids it. Pure."""
    own = [f"{place}/{name}" for key, place in OWN.items() for name in unit.get(key, "").split()]
    private = ("/tmp", "/var/tmp") if unit.get("PrivateTmp") in ("yes", "disconnected") else ()
    if _below(path, (*own, *private, *NEVER_PROTECTED, *_paths(unit, "ReadWritePaths"))):
        return ""
    system = unit.get("ProtectSystem", "")
    if _below(path, SYSTEM.get(system, ())) and not _below(path, HOMES):
        return f"ProtectSystem={system}"
    if unit.get("ProtectHome") == "read-only" and _below(path, HOMES):
        return "ProtectHome=read-only"
    closed = _paths(unit, "ReadOnlyPaths")
    return f"ReadOnlyPaths={' '.join(closed)}" if _below(path, closed) else ""


def why_hidden(unit: Unit, path: str, what: str, writes: bool = False) -> Why | None:
    """Why a unit cannot start: it does not see a path that is there. Pure.

    :param what: what the path is to it: ``its working directory``
    :param writes: whether it has to write there
    """
    setting = hides(unit, path)
    if not setting:
        return None
    text = f"it does not see {what} {path}, because of {setting} in its unit"
    if not setting.startswith("ProtectHome="):
        fix = then(f"Take {path} out of InaccessiblePaths= of {unit['Id']}", f"systemctl daemon-reload && {_restart(unit)}")
        return Why(text, fix, evidence=(setting,))
    lines = "ProtectHome=read-only" + (f"\\nReadWritePaths={path}" if writes else "")
    return Why(text, _lasting.drop_in(unit["Id"], "zz-protect-home", lines), evidence=(setting,))


def why_no_socket(unit: Unit, path: str, uid: int) -> Why | None:
    """Why a server that does not listen cannot: its unit forbids that. It reads which ports are for root alone.

    :param path: of its unix socket, or ``host:port``
    :param uid: whom it runs as
    """
    if not path.startswith("/"):
        return _port(unit, path.rpartition(":")[2], uid)
    families = unit.get("RestrictAddressFamilies", "").split()
    if families and "~" not in families[0] and "AF_UNIX" not in families:
        text = "RestrictAddressFamilies= in its unit does not allow unix sockets (AF_UNIX), so it cannot make its socket"
        fix = _lasting.drop_in(unit["Id"], "unix-sockets", "RestrictAddressFamilies=AF_UNIX")
        return Why(text, fix, evidence=(f"RestrictAddressFamilies={' '.join(families)}",))
    directory = os.path.dirname(path)
    found = why_hidden(unit, directory, "the directory of its socket,", writes=True)
    if found:
        return found
    setting = locks(unit, directory)
    if not setting:
        return None
    text = f"because of {setting} in its unit it may not write to {directory}, and so cannot make its socket {path}"
    return Why(text, _lasting.drop_in(unit["Id"], "socket-directory", f"ReadWritePaths={directory}"), evidence=(setting,))


def why_unreached(unit: Unit, address: str, code: str) -> Why | None:
    """Why nginx does not reach a server that runs: its unit forbids that. Pure.

    :param address: ``host:port`` on this host, or that of a unix socket, which needs no network
    :param code: of ``socket_access_info``
    """
    if address.startswith("unix:"):
        return None
    if code == "refused" and unit.get("PrivateNetwork") == "yes":  # what systemd listens on for it is outside
        text = "PrivateNetwork=yes in its unit gives it a network of its own"
        return Why(text, _lasting.drop_in(unit["Id"], "private-network", "PrivateNetwork=no"), evidence=("PrivateNetwork=yes",))
    if code not in ("no_answer", "connect_timeout"):
        return None
    host = address.rpartition(":")[0].strip("[]")
    try:
        ip = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        denied, allowed = (_networks(unit, name) for name in ("IPAddressDeny", "IPAddressAllow"))
    except ValueError:
        return None
    if not ip.is_loopback or not any(ip in each for each in denied) or any(ip in each for each in allowed):
        return None
    setting = f"IPAddressDeny={unit['IPAddressDeny']}"
    fix = _lasting.drop_in(unit["Id"], "loopback", "IPAddressAllow=localhost")
    return Why(f"{setting} in its unit drops what nginx sends", fix, evidence=(setting,))


def _networks(unit: Unit, key: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(word) for word in unit.get(key, "").split()]


def _port(unit: Unit, port: str, uid: int) -> Why | None:
    first = (_untrusted.text_or_none(FIRST_PORT) or "").strip()
    capable = BINDING in unit.get("AmbientCapabilities", "").lower().split()
    if not port.isdigit() or not first.isdigit() or not uid or int(port) >= int(first) or capable:
        return None
    text = f"its user may not listen on port {port}: those below {first} are for root"
    what = f"Let it listen on a port from {first} on, and nginx connect there"
    if BINDING not in unit.get("CapabilityBoundingSet", BINDING).lower().split():
        return Why(text, then(what, _restart(unit)))
    return Why(text, _lasting.drop_in(unit["Id"], "low-port", "AmbientCapabilities=CAP_NET_BIND_SERVICE"))


def _restart(unit: Unit) -> str:
    return f"systemctl restart {unit['Id'].removesuffix('.service')}"


def _paths(unit: Unit, key: str) -> list[str]:
    return [os.path.normpath(word.lstrip("-+")) for word in unit.get(key, "").split() if word.lstrip("-+").startswith("/")]


def _below(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in places)
