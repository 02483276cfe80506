# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The certificates of a site: names, expiry, whether nginx serves them, and whether they are renewed."""

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
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import LETSENCRYPT, Certificate, covered

TIMERS = ("certbot.timer", "snap.certbot.renew.timer")
CRON = ("/etc/crontab", "/etc/cron.d/*", "/etc/cron.daily/*", "/etc/cron.weekly/*", "/var/spool/cron/crontabs/*")

NAME = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE)
"""A host name that a certificate can be issued for."""


@dataclass(frozen=True)
class Renewal:
    """How certbot's certificates are renewed.

    :ivar timer: the timer or cron job that starts certbot, "" without one
    :ivar timer_state: why there is no running timer
    :ivar configured: certificates that certbot renews
    :ivar hooked: certificates whose renewal runs a hook
    """

    timer: str = ""
    timer_state: str = ""
    configured: frozenset[str] = frozenset()
    hooked: frozenset[str] = frozenset()


def wanted(names: Iterable[str]) -> list[str]:
    """The names of a server that a certificate can be issued for: not ``_``, patterns or IP addresses. Pure."""
    plain = [name[1:] if name.startswith(".") else name for name in names]
    return [name for name in plain if NAME.fullmatch(name) and not re.fullmatch(r"[\d.]+", name)]


def judge(
    server: ServerBlock, certificates: Sequence[Certificate], shown: Mapping[str, bytes], loaded: bool, now: float
) -> list[Finding]:
    """Judge the certificates of a server. Pure.

    :param certificates: the certificates on disk
    :param shown: by requested name, the fingerprint of the certificate that nginx presents, empty bytes if it presents none
    :param loaded: whether nginx runs; it may still use earlier, valid certificates
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
        message = f"nginx still serves an old certificate for {stale[0]}: it has not reloaded {paths}."
        found.append(Finding(WARNING, "certificate_not_loaded", message, tuple(stale), "nginx -t && systemctl reload nginx"))
    return found


def _judge_file(certificate: Certificate, loaded: bool, now: float) -> list[Finding]:
    found = []
    severity = WARNING if loaded else BROKEN
    path = certificate.path
    replacement = _replacement(certificate)
    if certificate.cause:
        fix = f"restore the file, or name another one in nginx's configuration; or: {replacement}"
        found.append(Finding(severity, "certificate_missing", f"{certificate.cause}.", (path, certificate.key), fix))
    if certificate.wrong_key:
        message = f"The private key {certificate.key} does not match the certificate {path}: TLS connections fail."
        found.append(
            Finding(
                severity,
                "certificate_key",
                message,
                (path, certificate.key),
                f"restore the matching private key, or: {replacement}",
            )
        )
    if not certificate.ends:
        return found
    end = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(certificate.ends))
    begin = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(certificate.begins))
    evidence = (f"{path}: {begin} to {end}, {', '.join(certificate.names)}",)
    left = certificate.days(now)
    if certificate.ends <= now:
        message = f"The certificate {path} expired on {end}; browsers reject it."
        found.append(Finding(BROKEN, "certificate_expired", message, evidence, replacement))
    elif certificate.ends - now < certificate.margin:
        message = f"The certificate {path} expires on {end}, in {left} days."
        if certificate.lineage:
            message = f"The certificate {path} expires on {end}, in {left} days, and certbot has not renewed it."
            replacement = f"find out why (journalctl -u certbot), then: {replacement}"
        found.append(Finding(WARNING, "certificate_expires", message, evidence, replacement))
    if certificate.begins > now:
        message = f"The certificate {path} is not valid before {begin}; browsers reject it. Or the host's clock is wrong."
        found.append(
            Finding(
                BROKEN, "certificate_not_yet_valid", message, evidence, "check the clock with timedatectl status; set it, or wait"
            )
        )
    return found


def _replacement(certificate: Certificate) -> str:
    if certificate.lineage:
        return f"certbot renew --cert-name {shlex.quote(certificate.lineage)} && systemctl reload nginx"
    return f"obtain a new certificate, install it as {certificate.path}, then: systemctl reload nginx"


def _judge_names(server: ServerBlock, certificates: Sequence[Certificate]) -> list[Finding]:
    names = wanted(server.names)
    has = [name for certificate in certificates for name in certificate.names]
    bare = [name for name in names if not covered(name, has)]
    if not bare:
        return []
    self_signed = all(certificate.self_signed for certificate in certificates)
    severity = NOTE if self_signed else WARNING if len(bare) < len(names) else BROKEN
    paths = " and ".join(dict.fromkeys(certificate.path for certificate in certificates))
    message = f"No certificate covers {', '.join(bare)}: {paths} is for {', '.join(dict.fromkeys(has))}."
    lineage = next((certificate.lineage for certificate in certificates if certificate.lineage), "")
    fix = f"obtain a certificate for {' '.join(names)}, or remove the name from {server.file}:{server.line}"
    if lineage:
        domains = " ".join(f"-d {shlex.quote(name)}" for name in dict.fromkeys([*has, *bare]))
        issue = f"certbot certonly --cert-name {shlex.quote(lineage)} {domains} && systemctl reload nginx"
        fix = f"{issue}, or remove the name from {server.file}"
    return [Finding(severity, "certificate_names", message, (f"{server.file}:{server.line}: {' '.join(names)}",), fix)]


def renewal(directory: str = LETSENCRYPT) -> Renewal:
    """Find out what starts certbot on this host, and whether a renewal reloads nginx."""
    states = _timers()
    timer = next((f"{name}" for name, state in states.items() if state == "active"), "")
    tasks = _cron()
    if not timer and tasks:
        timer = f"cron ({tasks[0][0]})"
    state = ", ".join(f"{name} is {state}" for name, state in states.items() if state != "active") or "there is no certbot.timer"
    hooks = [path for path in glob.glob(f"{directory}/renewal-hooks/*/*") if os.access(path, os.X_OK) and "/pre/" not in path]
    hooked_all = bool(hooks) or bool(
        re.search(r"^\s*(deploy-hook|renew-hook|post-hook)\s*=", _untrusted.configuration(f"{directory}/cli.ini"), re.MULTILINE)
    )
    hooked_all = hooked_all or any(re.search(r"--(?:deploy|renew|post)-hook|nginx", text) for _path, text in tasks)
    if states and not hooked_all:
        hooked_all = bool(re.search(r"^ExecStart.*(?:hook|nginx)", _systemd.unit_files("certbot.service"), re.MULTILINE))
    configured, hooked = set(), set()
    for path in glob.glob(f"{directory}/renewal/*.conf"):
        name = os.path.basename(path)[: -len(".conf")]
        configured.add(name)
        if hooked_all or _lineage.reloads(_untrusted.configuration(path)):
            hooked.add(name)
    return Renewal(timer, "" if timer else state, frozenset(configured), frozenset(hooked))


def judge_renewal(certificates: Iterable[Certificate], found: Renewal) -> list[Finding]:
    """Find what keeps certbot's certificates from being renewed, or nginx from loading them. Pure."""
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
            message = f"Certbot does not renew the certificate {name}: {missing} does not exist."
            domains = " ".join(f"-d {shlex.quote(each)}" for each in certificate.names)
            fix = f"issue it again: certbot certonly --cert-name {shlex.quote(name)} {domains}"
            findings.append(Finding(WARNING, "renewal_configuration", message, (certificate.path,), fix))
        elif name not in found.hooked:
            message = f"Nothing reloads nginx after the certificate {name} is renewed: it serves the old one until it expires."
            hook = f"{LETSENCRYPT}/renewal-hooks/deploy/nginx"
            script = "#!/bin/sh\\nnginx -t -q && systemctl reload nginx\\n"
            fix = f"mkdir -p {os.path.dirname(hook)} && printf '{script}' > {hook} && chmod 755 {hook}"
            findings.append(Finding(WARNING, "renewal_hook", message, (f"{LETSENCRYPT}/renewal/{name}.conf",), fix))
    return findings


def _timers() -> dict[str, str]:
    found = _systemd.show(TIMERS, ["LoadState", "ActiveState"])
    return {name: timer.get("ActiveState", "") for name, timer in found.items() if timer.get("LoadState") == "loaded"}


def _cron() -> list[tuple[str, str]]:
    """The cron jobs that start certbot: file and lines. Not Debian's own, which does nothing under systemd."""
    found = []
    for path in sorted(path for pattern in CRON for path in glob.glob(pattern)):
        if not _is_roots(path):  # other users cannot renew a certificate
            continue
        lines = [
            line
            for line in _untrusted.configuration(path).splitlines()
            if re.search(r"certbot|letsencrypt", line) and not line.lstrip().startswith("#")
        ]
        lines = [line for line in lines if "/run/systemd/system" not in line]
        if lines:
            found.append((path, "\n".join(lines)))
    return found


def _is_roots(path: str) -> bool:
    try:
        return os.stat(path).st_uid == 0
    except OSError:
        return False
