# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Decide for each certificate: keep it, change how it is renewed, or get a new one from the CA. Pure."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _command, _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _sites
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import DAY, OVERDUE

KEEP, CONFIGURE, ISSUE = "keep", "configure", "issue"


@dataclass(frozen=True)
class WantedCertificate:
    """A certificate that there should be.

    :ivar name: its name in certbot, unless there is one for these domains under another name
    :ivar domains: the names that it has to be valid for; the first becomes the subject
    :ivar apps: the apps that need it
    :ivar site: the site of nginx that presents it, see ``tls._sites.sites``; None if the collection does not configure the site
    """

    name: str
    domains: tuple[str, ...]
    apps: tuple[str, ...]
    site: Mapping[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class CertificateStep:
    """What has to be done for a certificate.

    :ivar action: ``keep``, ``configure`` (how it is renewed) or ``issue``
    :ivar lineage: its name in certbot
    :ivar reason: why, "" for ``keep``
    """

    action: str
    lineage: str
    reason: str = ""


def wanted_certificates(
    apps: Sequence[Mapping[str, Any]] | None, certificates: Sequence[Mapping[str, Any]] | None
) -> list[WantedCertificate]:
    """The certificates that there should be: for the sites of resolved apps, or from the module's option. Pure."""
    if apps is not None:
        sites = [site for site in _sites.sites(apps) if site["mode"] == "certbot"]
        return [WantedCertificate(site["name"], tuple(site["domains"]), tuple(site["apps"]), site) for site in sites]
    return [
        WantedCertificate(
            each["name"], tuple(dict.fromkeys(name.lower() for name in each["domains"])), tuple(each["apps"] or [each["name"]])
        )
        for each in certificates or ()
    ]


def check(found: Sequence[WantedCertificate], settings: CertbotSettings) -> None:
    """Validate the options of the module.

    :raises StackError: the first mistake
    """
    try:
        own = _command.refused(settings.options)
    except ValueError as error:
        raise StackError("certificate", f"options: a value has invalid shell syntax ({error}); correct its quotes.") from None
    if own:
        raise StackError("certificate", f"options: {own} is set by another option of this module; remove it.")
    names = [wanted.name for wanted in found]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated:
        raise StackError("certificate", f"certificates: the name {repeated} is used twice; rename one of the two.")
    for wanted in found:
        if not wanted.domains:
            raise StackError("certificate", f"certificates: {wanted.name} has no domains; add one or more.")


def lineage_of(
    wanted: WantedCertificate, found: Mapping[str, Lineage], claimed: Iterable[str], presented: str, directory: str
) -> str:
    """The name of the certbot lineage for a certificate, whether or not it exists. Pure.

    A lineage that was created by hand is taken over if it has no names but the wanted ones. Otherwise certbot would keep
    renewing it next to ours.

    :param found: the lineages that exist, by name
    :param claimed: the names of all wanted certificates
    :param presented: the directory that the site presents now, "" for none
    """
    taken = set(claimed) - {wanted.name}
    current = os.path.basename(presented)
    if presented and presented == _lineage.live(current, directory) and current in found and current not in taken:
        return current
    if wanted.name in found:
        return wanted.name
    domains = set(wanted.domains)
    fitting = [
        each for name, each in found.items() if name not in taken and not each.cause and each.names and each.names <= domains
    ]
    best = max(fitting, key=lambda each: (len(each.names), each.ends, each.name), default=None)
    return best.name if best else wanted.name


def plan(
    wanted: WantedCertificate, name: str, lineage: Lineage | None, settings: CertbotSettings, now: float, overdue: bool = False
) -> CertificateStep:
    """What to do for a certificate. Pure.

    :param name: the name of its lineage, see ``lineage_of``
    :param lineage: the lineage, None if there is none
    :param now: seconds since the epoch
    :param overdue: whether its CA wants it replaced, as after a revocation
    """
    if lineage is None:
        return CertificateStep(ISSUE, name, "there is none")
    if lineage.cause:
        return CertificateStep(ISSUE, name, f"the one that exists cannot be used: {lineage.cause}")
    reasons = [*_names(wanted, lineage), *_terms(lineage, settings), *_time(lineage, settings, now, overdue)]
    if reasons:
        return CertificateStep(ISSUE, name, "; ".join(reasons))
    reason = _renewal(lineage, settings)
    return CertificateStep(CONFIGURE, name, reason) if reason else CertificateStep(KEEP, name)


def _names(wanted: WantedCertificate, lineage: Lineage) -> list[str]:
    added, removed = sorted(set(wanted.domains) - lineage.names), sorted(lineage.names - set(wanted.domains))
    return [
        *([f"it is not valid for {', '.join(added)} yet"] if added else []),
        *([f"it is still valid for {', '.join(removed)}"] if removed else []),
    ]


def _terms(lineage: Lineage, settings: CertbotSettings) -> list[str]:
    found = []
    if lineage.server != settings.server:
        found.append(f"it is from {lineage.server or 'an unknown server'}")
    if settings.key_type and lineage.key_type != settings.key_type:
        found.append(f"its key is {lineage.key_type}")
    # Only certbot knows the configuration of other authenticators, so it has to run once with this one.
    if settings.authenticator not in ("webroot", lineage.authenticator):
        found.append(f"its names are validated by {lineage.authenticator or 'nothing'}, not by {settings.authenticator}")
    return found


def _time(lineage: Lineage, settings: CertbotSettings, now: float, overdue: bool) -> list[str]:
    least = settings.minimum_days
    needed = least * DAY if least is not None else min(OVERDUE * DAY, (lineage.ends - lineage.begins) / 4)
    left = lineage.ends - now
    if left <= 0:
        return [f"it expired on {date(lineage.ends)}"]
    if left < needed:
        return [f"it expires on {date(lineage.ends)} and has not been renewed"]
    return ["its CA wants it replaced, as after a revocation"] if overdue else []


def _renewal(lineage: Lineage, settings: CertbotSettings) -> str:
    """What is wrong with the configuration of its renewal, "" if nothing is."""
    found = []
    if settings.authenticator == "webroot":
        if lineage.authenticator != "webroot":
            found.append(f"its names are validated by {lineage.authenticator or 'nothing'}, not by webroot")
        elif lineage.webroots != {settings.webroot}:
            found.append(f"its challenges are written to {', '.join(sorted(lineage.webroots)) or 'nowhere'}")
    if lineage.installer and lineage.installer != settings.authenticator:
        found.append(f"its renewal changes the configuration of {lineage.installer}")
    return "; ".join(found)


def described(wanted: WantedCertificate, lineage: Lineage | None) -> str:
    """A certificate in a few lines, for a diff. Pure."""
    if lineage is None:
        return ""
    if lineage.cause:
        return f"{wanted.name}: {lineage.cause}\n"
    by = lineage.authenticator + (f" and {lineage.installer}" if lineage.installer else "")
    return (
        f"{wanted.name}: {', '.join(sorted(lineage.names))}\n"
        f"  from {lineage.server}\n  key {lineage.key_type or 'as certbot chooses'}\n  until {_end(lineage)}\n  renewed by {by}\n"
    )


def expected(
    wanted: WantedCertificate, step: CertificateStep, lineage: Lineage | None, settings: CertbotSettings
) -> Lineage | None:
    """What the certificate will be after a step, as far as that is known before. Pure."""
    if step.action == KEEP:
        return lineage
    before = lineage or Lineage(step.lineage)
    key_type = settings.key_type or before.key_type
    if step.action == ISSUE:
        names = frozenset(wanted.domains)
        return Lineage(step.lineage, names, key_type=key_type, server=settings.server, authenticator=settings.authenticator)
    authenticator = "webroot" if settings.authenticator == "webroot" else before.authenticator
    return Lineage(
        before.name, before.names, before.begins, before.ends, key_type, server=before.server, authenticator=authenticator
    )


def _end(lineage: Lineage) -> str:
    return date(lineage.ends) if lineage.ends else "the CA's choice"


def date(seconds: float) -> str:
    """A day in UTC, as ``2026-11-20``."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
