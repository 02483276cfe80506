# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Certificates that certbot renews with a web server of its own, for which nginx leaves no port."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import LETSENCRYPT, Certificate

HTTP_PORT = 80
"""The port of the challenge http-01, the only one that the authenticator ``standalone`` has."""

PLUGIN = "/usr/lib/python3/dist-packages/certbot_nginx"
PROGRAMS = ("/usr/bin/certbot", "/snap/bin/certbot")

PRE_HOOK = re.compile(r"^\s*pre[-_]hook\s*=\s*\S|--pre-hook", re.MULTILINE)


@dataclass(frozen=True)
class StandaloneRenewal:
    """How certbot renews with the authenticator ``standalone``.

    :ivar lineages: the certificates that are renewed so, each with the port that it listens on
    :ivar certbot: the program, "" without one
    :ivar plugin: whether its plugin for nginx is installed
    """

    lineages: tuple[tuple[str, int], ...] = ()
    certbot: str = ""
    plugin: bool = False


def look(directory: str = LETSENCRYPT) -> StandaloneRenewal:
    """Find the certificates that certbot renews so, without a hook that stops nginx before."""
    texts = {path: _untrusted.configuration(path) for path in glob.glob(f"{directory}/renewal/*.conf")}
    alone = {path: options for path, text in texts.items() for options in [_lineage.options(text)] if _is_alone(options)}
    if not alone:
        return StandaloneRenewal()
    general = _untrusted.configuration(f"{directory}/cli.ini") + _systemd.unit_files("certbot.service")
    general += "".join(_untrusted.configuration(path) for path in glob.glob("/etc/cron.d/*"))
    hooks = [path for path in glob.glob(f"{directory}/renewal-hooks/pre/*") if os.access(path, os.X_OK)]
    if hooks or PRE_HOOK.search(general):
        return StandaloneRenewal()
    found = [(os.path.basename(path)[: -len(".conf")], _port(options)) for path, options in sorted(alone.items())]
    certbot = next((path for path in PROGRAMS if os.path.exists(path)), "")
    snap = os.path.realpath(certbot).startswith(("/snap/", "/usr/bin/snap")) if certbot else False
    return StandaloneRenewal(tuple(found), certbot, snap or os.path.isdir(PLUGIN))


def _is_alone(options: dict[str, str]) -> bool:
    return options.get("authenticator") == "standalone" and not options.get("pre_hook")


def _port(options: dict[str, str]) -> int:
    value = options.get("http01_port", "")
    return int(value) if value.isdigit() else HTTP_PORT


def judge(certificates: Iterable[Certificate], found: StandaloneRenewal, ports: set[int]) -> list[Finding]:
    """Find certificates of a site that certbot cannot renew, since nginx has the port. Pure.

    :param ports: the TCP ports that nginx listens on
    """
    findings = []
    lineages = dict(found.lineages)
    for name in dict.fromkeys(certificate.lineage for certificate in certificates):
        port = lineages.get(name)
        if port is None or port not in ports:
            continue
        message = (
            f"Certbot cannot renew the certificate {name}: it renews with the authenticator standalone, which needs port {port}, "
            "and nginx has it."
        )
        evidence = (f"{LETSENCRYPT}/renewal/{name}.conf: authenticator = standalone, and no pre-hook stops nginx",)
        findings.append(Finding(WARNING, "renewal_standalone", message, evidence, _fix(name, found)))
    return findings


def _fix(name: str, found: StandaloneRenewal) -> str:
    if not found.certbot:
        return (
            f"Install certbot and its plugin for nginx, and renew {name} once with the authenticator nginx, which certbot keeps."
        )
    renew = f"certbot renew --cert-name {shlex.quote(name)} --authenticator nginx --force-renewal"
    return renew if found.plugin else f"apt-get install -y python3-certbot-nginx && {renew}"
