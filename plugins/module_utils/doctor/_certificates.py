# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a site: whom they are for, how long, whether nginx serves them, and whether somebody renews them."""

from __future__ import annotations

import glob
import os
import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, NOTE, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import LETSENCRYPT, Certificate, covered

TIMERS = ("certbot.timer", "snap.certbot.renew.timer")
CRON = ("/etc/crontab", "/etc/cron.d/*", "/etc/cron.daily/*", "/etc/cron.weekly/*", "/var/spool/cron/crontabs/*")

NAME = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE)
"""A name that a certificate can be for."""


@dataclass(frozen=True)
class Renewal:
    """How certificates of certbot are renewed.

    :ivar timer: what starts certbot, "" if nothing does
    :ivar timer_state: of the timer that is there and does not run
    :ivar configured: the certificates that certbot knows
    :ivar hooked: those after whose renewal something is run
    """

    timer: str = ""
    timer_state: str = ""
    configured: frozenset[str] = frozenset()
    hooked: frozenset[str] = frozenset()


def wanted(names: Iterable[str]) -> list[str]:
    """The names of a server that a certificate can be for: not ``_``, no pattern, no address. Pure."""
    plain = [name[1:] if name.startswith(".") else name for name in names]
    return [name for name in plain if NAME.fullmatch(name) and not re.fullmatch(r"[\d.]+", name)]


def judge(
    server: ServerBlock, certificates: Sequence[Certificate], shown: Mapping[str, bytes], loaded: bool, now: float
) -> list[Finding]:
    """What is wrong with the certificates of a server. Pure.

    :param shown: the certificate that nginx serves, by the name that was asked for; empty if it serves none
    :param loaded: whether nginx runs, and with it the certificates that it loaded when they were right
    :param now: seconds since the epoch
    """
    found: list[Finding] = []
    refused = bool(shown) and not any(shown.values())
    for certificate in certificates:
        found += _judge_file(certificate, loaded and not refused, now)
    usable = [certificate for certificate in certificates if certificate.names and not certificate.cause]
    if not usable:
        return found
    found += _judge_names(server, usable)
    stale = [name for name, content in shown.items() if content and content not in {each.fingerprint for each in usable}]
    if stale and not any(certificate.wrong_key for certificate in usable):
        paths = ", ".join(certificate.path for certificate in usable)
        message = f"nginx serves another certificate for {stale[0]} than is in {paths}: it was replaced and not loaded."
        found.append(Finding(WARNING, "certificate_not_loaded", message, tuple(stale), "nginx -t && systemctl reload nginx"))
    return found


def _judge_file(certificate: Certificate, loaded: bool, now: float) -> list[Finding]:
    found = []
    severity = WARNING if loaded else BROKEN
    path = certificate.path
    anew = _anew(certificate)
    if certificate.cause:
        fix = f"put the file there, or name another one in the configuration; or: {anew}"
        found.append(Finding(severity, "certificate_missing", f"{certificate.cause}.", (path, certificate.key), fix))
    if certificate.wrong_key:
        message = f"The key {certificate.key} does not belong to the certificate {path}: nothing is served with them."
        found.append(
            Finding(
                severity,
                "certificate_key",
                message,
                (path, certificate.key),
                f"put the key that it was made with in its place, or: {anew}",
            )
        )
    if not certificate.ends:
        return found
    end = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(certificate.ends))
    begin = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(certificate.begins))
    evidence = (f"{path}: {begin} to {end}, {', '.join(certificate.names)}",)
    left = certificate.days(now)
    if certificate.ends <= now:
        message = f"The certificate {path} has expired on {end}; browsers refuse it."
        found.append(Finding(BROKEN, "certificate_expired", message, evidence, anew))
    elif certificate.ends - now < certificate.margin:
        message = f"The certificate {path} expires on {end}, in {left} days."
        if certificate.lineage:
            message = f"The certificate {path} expires on {end}, in {left} days, and certbot has not renewed it."
            anew = f"journalctl -u certbot says why; then: {anew}"
        found.append(Finding(WARNING, "certificate_expires", message, evidence, anew))
    if certificate.begins > now:
        message = f"The certificate {path} is valid from {begin} on only; browsers refuse it, or the host's clock is wrong."
        found.append(
            Finding(BROKEN, "certificate_not_yet_valid", message, evidence, "timedatectl status; then set the clock, or wait")
        )
    return found


def _anew(certificate: Certificate) -> str:
    if certificate.lineage:
        return f"certbot renew --cert-name {shlex.quote(certificate.lineage)} && systemctl reload nginx"
    return f"get a new certificate, put it into {certificate.path}, then: systemctl reload nginx"


def _judge_names(server: ServerBlock, certificates: Sequence[Certificate]) -> list[Finding]:
    names = wanted(server.names)
    has = [name for certificate in certificates for name in certificate.names]
    bare = [name for name in names if not covered(name, has)]
    if not bare:
        return []
    self_signed = all(certificate.self_signed for certificate in certificates)
    severity = NOTE if self_signed else WARNING if len(bare) < len(names) else BROKEN
    paths = " and ".join(dict.fromkeys(certificate.path for certificate in certificates))
    message = f"No certificate of the site is for {', '.join(bare)}: {paths} has {', '.join(dict.fromkeys(has))}."
    lineage = next((certificate.lineage for certificate in certificates if certificate.lineage), "")
    fix = f"get a certificate for {' '.join(names)}, or remove the name from {server.file}:{server.line}"
    if lineage:
        domains = " ".join(f"-d {name}" for name in dict.fromkeys([*has, *bare]))
        fix = f"certbot certonly --cert-name {lineage} {domains} && systemctl reload nginx, or remove the name from {server.file}"
    return [Finding(severity, "certificate_names", message, (f"{server.file}:{server.line}: {' '.join(names)}",), fix)]


def renewal(directory: str = LETSENCRYPT) -> Renewal:
    """How certbot is started here, and what is run when it has renewed something."""
    states = _timers()
    timer = next((f"{name}" for name, state in states.items() if state == "active"), "")
    tasks = _cron()
    if not timer and tasks:
        timer = f"cron ({tasks[0][0]})"
    state = ", ".join(f"{name} is {state}" for name, state in states.items() if state != "active") or "there is no certbot.timer"
    hooks = [path for path in glob.glob(f"{directory}/renewal-hooks/*/*") if os.access(path, os.X_OK) and "/pre/" not in path]
    hooked_all = bool(hooks) or bool(
        re.search(r"^\s*(deploy-hook|renew-hook|post-hook)\s*=", _files.text_of(f"{directory}/cli.ini"), re.MULTILINE)
    )
    hooked_all = hooked_all or any(re.search(r"--(?:deploy|renew|post)-hook|nginx", text) for _path, text in tasks)
    if states and not hooked_all:
        hooked_all = bool(re.search(r"^ExecStart.*(?:hook|nginx)", _systemd.unit_files("certbot.service"), re.MULTILINE))
    configured, hooked = set(), set()
    for path in glob.glob(f"{directory}/renewal/*.conf"):
        name = os.path.basename(path)[: -len(".conf")]
        configured.add(name)
        if hooked_all or _lineage.reloads(_files.text_of(path)):
            hooked.add(name)
    return Renewal(timer, "" if timer else state, frozenset(configured), frozenset(hooked))


def judge_renewal(certificates: Iterable[Certificate], found: Renewal) -> list[Finding]:
    """What keeps certbot's certificates from being renewed, or their renewal from reaching nginx. Pure."""
    findings = []
    for certificate in certificates:
        name = certificate.lineage
        if not name:
            continue
        if not found.timer:
            message = f"Nothing renews the certificate {name}: {found.timer_state}, and no cron job starts certbot."
            fix = "systemctl enable --now certbot.timer"
            findings.append(Finding(WARNING, "renewal_timer", message, (certificate.path,), fix))
        if name not in found.configured:
            missing = f"{LETSENCRYPT}/renewal/{name}.conf"
            message = f"Certbot does not know the certificate {name} and does not renew it: there is no {missing}."
            fix = f"get it anew: certbot certonly --cert-name {name} {' '.join(f'-d {each}' for each in certificate.names)}"
            findings.append(Finding(WARNING, "renewal_configuration", message, (certificate.path,), fix))
        elif name not in found.hooked:
            message = (
                f"Nothing reloads nginx when the certificate {name} was renewed: it goes on with the old one until that expires."
            )
            hook = f"{LETSENCRYPT}/renewal-hooks/deploy/nginx"
            script = "#!/bin/sh\\nnginx -t -q && systemctl reload nginx\\n"
            fix = f"mkdir -p {os.path.dirname(hook)} && printf '{script}' > {hook} && chmod 755 {hook}"
            findings.append(Finding(WARNING, "renewal_hook", message, (f"{LETSENCRYPT}/renewal/{name}.conf",), fix))
    return findings


def _timers() -> dict[str, str]:
    found = _systemd.show(TIMERS, ["LoadState", "ActiveState"])
    return {name: timer.get("ActiveState", "") for name, timer in found.items() if timer.get("LoadState") == "loaded"}


def _cron() -> list[tuple[str, str]]:
    """The cron jobs that start certbot, each with its lines; not Debian's own, which does nothing under systemd."""
    found = []
    for path in sorted(path for pattern in CRON for path in glob.glob(pattern)):
        lines = [
            line
            for line in _files.text_of(path).splitlines()
            if re.search(r"certbot|letsencrypt", line) and not line.lstrip().startswith("#")
        ]
        lines = [line for line in lines if "/run/systemd/system" not in line]
        if lines:
            found.append((path, "\n".join(lines)))
    return found
