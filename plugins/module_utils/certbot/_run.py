# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""One run over all certificates of certbot: read all, plan all, then change anything, and have nginx load the result."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _acme, _issue, _lineage, _plan
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._plan import (
    CONFIGURE,
    ISSUE,
    KEEP,
    CertificateStep,
    WantedCertificate,
)
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _facts, _reload
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import DAY

Steps = Mapping[WantedCertificate, CertificateStep]
Failures = dict[WantedCertificate, StackError]


@dataclass
class Outcome:
    """What became of all certificates, by the names of the wanted ones, and the failures of their apps."""

    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    reloaded: bool = False
    changed: bool = False


def converge(
    apps: Sequence[Mapping[str, Any]] | None,
    certificates: Sequence[Mapping[str, Any]] | None,
    settings: CertbotSettings,
    dry: bool,
    only: Collection[str] = (),
) -> Outcome:
    """Get the certificates of resolved apps, or those of a list, and keep them as they should be.

    :param only: the apps that the run is about, none for all
    :param dry: check mode: change nothing
    :raises StackError: an error that belongs to no single certificate
    """
    wanted = [each for each in _plan.wanted_certificates(apps, certificates) if not only or {*each.apps} & {*only}]
    _plan.check(wanted, settings)
    missing = [program for program in ("openssl", "certbot") if not shutil.which(program)] if wanted else []
    if missing and not dry:
        raise StackError("certificate", f"{missing[0]} is not installed; install the package {missing[0]} and run again.")
    run = Certificates(wanted, settings, dry, _sites.sites(apps or []), readable="openssl" not in missing)
    return run.converge()


class Certificates:
    """One run over many certificates.

    :param wanted: the certificates that there should be
    :param dry: check mode: change nothing
    :param sites: all sites with TLS, if apps were given
    :param readable: whether openssl is installed; without it, as in check mode on a new host, there is nothing to read
    """

    def __init__(
        self,
        wanted: Sequence[WantedCertificate],
        settings: CertbotSettings,
        dry: bool,
        sites: Sequence[Mapping[str, Any]] = (),
        readable: bool = True,
    ):
        self.wanted = wanted
        self.settings = settings
        self.dry = dry
        self.sites = sites
        self.readable = readable
        self.outcome = Outcome()

    def converge(self) -> Outcome:
        """Get what is missing.

        :raises StackError: an error that belongs to no single certificate
        """
        before = _lineage.read(self.settings.directory) if self.readable else {}
        steps = self._plan(before)
        failed = self._take(steps, before) if not self.dry else {}
        after = _lineage.read(self.settings.directory) if not self.dry and _active(steps) else before
        self._report(steps, before, after, failed)
        if self.dry:
            self._predict_reload(steps, before)
        else:
            self._present(steps, after, failed)
        for wanted in self.wanted:
            if wanted in failed:
                self.outcome.failures += [failed[wanted].result(app) for app in wanted.apps]
        return self.outcome

    def _plan(self, before: Mapping[str, Lineage]) -> dict[WantedCertificate, CertificateStep]:
        names = [wanted.name for wanted in self.wanted]
        now = time.time()
        steps = {}
        for wanted in self.wanted:
            presented = _presented.published(wanted.name) if wanted.site else ""
            name = _plan.lineage_of(wanted, before, names, presented, self.settings.directory)
            steps[wanted] = _plan.plan(wanted, name, before.get(name), self.settings, now)
        good = [wanted for wanted, step in steps.items() if step.action != ISSUE]
        for wanted in self._overdue(good, steps, before, now):
            name = steps[wanted].lineage
            steps[wanted] = _plan.plan(wanted, name, before[name], self.settings, now, overdue=True)
        return steps

    def _overdue(
        self, good: Sequence[WantedCertificate], steps: Steps, before: Mapping[str, Lineage], now: float
    ) -> list[WantedCertificate]:
        """The certificates that their CA wants replaced; none if it is not available."""
        if not good:
            return []
        try:
            trust = _issue.trust(self.settings)
            found = _acme.directory(self.settings.server, trust)
        except StackError:
            return []
        with ThreadPoolExecutor(max_workers=_lineage.JOBS) as pool:
            replies = pool.map(lambda wanted: _acme.wants_replaced(before[steps[wanted].lineage], found, trust, now), good)
            return [wanted for wanted, replace in zip(good, replies) if replace]

    def _take(self, steps: Steps, before: Mapping[str, Lineage]) -> Failures:
        """Take the steps that change something.

        :returns: the failures
        """
        failed: Failures = {}
        active = _active(steps)
        if not active:
            return failed
        if self.settings.authenticator == "webroot":
            failed.update(_issue.unreachable_names(active, self.settings))
        todo = [wanted for wanted in active if wanted not in failed]
        refusal = _issue.refusal(self.settings) if any(steps[wanted].action == ISSUE for wanted in todo) else None
        BOARD.begin(len(todo))
        for wanted in todo:
            with BOARD.app((*wanted.apps, wanted.name)[0]):
                BOARD.does("asks for its certificate")
                try:
                    self._take_one(wanted, steps[wanted], before, refusal)
                except StackError as failure:
                    failed[wanted] = failure
                except OSError as error:
                    failed[wanted] = from_os_error(error, "certificate")
        return failed

    def _take_one(
        self, wanted: WantedCertificate, step: CertificateStep, before: Mapping[str, Lineage], refusal: StackError | None
    ) -> None:
        if step.action == CONFIGURE:
            _issue.configure(step, self.settings)
        elif refusal:
            raise refusal
        else:
            _issue.issue(wanted, step, before.get(step.lineage), self.settings)

    def _report(self, steps: Steps, before: Mapping[str, Lineage], after: Mapping[str, Lineage], failed: Failures) -> None:
        now = time.time()
        for wanted, step in steps.items():
            was, lineage = before.get(step.lineage), after.get(step.lineage)
            done = step.action != KEEP and wanted not in failed
            if self.dry:
                lineage = _plan.expected(wanted, step, was, self.settings)
            if done:
                self.outcome.changed = True
                texts = {"before": _plan.described(wanted, was), "after": _plan.described(wanted, lineage)}
                heads = {"before_header": wanted.name, "after_header": f"{wanted.name}: {step.reason}"}
                self.outcome.diff.append({**texts, **heads})
            if wanted in failed:
                continue
            ends = lineage.ends if lineage else 0.0
            self.outcome.certificates[wanted.name] = {
                "lineage": step.lineage,
                "directory": _lineage.live(step.lineage, self.settings.directory),
                "names": sorted(wanted.domains),
                "ends": _plan.date(ends) if ends else None,
                "days_left": int((ends - now) // DAY) if ends else None,
                "action": f"would {step.action}" if self.dry and done else step.action,
                "reason": step.reason,
            }

    def _predict_reload(self, steps: Steps, before: Mapping[str, Lineage]) -> None:
        """Whether nginx would be reloaded: after a run that was killed, it may not present what there is."""
        sites = [wanted.site for wanted, step in steps.items() if wanted.site and step.action != ISSUE]
        for wanted, step in steps.items():
            if wanted.site and step.lineage in before and not before[step.lineage].cause:
                directory = _lineage.live(step.lineage, self.settings.directory)
                self.outcome.changed |= _presented.published(wanted.name) != directory
        self.outcome.reloaded = bool(sites and _facts.outdated(sites))
        self.outcome.changed |= self.outcome.reloaded

    def _present(self, steps: Steps, after: Mapping[str, Lineage], failed: Failures) -> None:
        """Make nginx present what there is, even if it could not be replaced."""
        sites = []
        for wanted, step in steps.items():
            lineage = after.get(step.lineage)
            if not wanted.site or lineage is None or lineage.cause:
                continue
            if wanted in failed and not set(wanted.domains) & lineage.names:
                continue
            try:
                self.outcome.changed |= _presented.publish(wanted.name, _lineage.live(step.lineage, self.settings.directory))
                sites.append(wanted.site)
            except StackError as failure:
                failed.setdefault(wanted, failure)
        without_site = [wanted for wanted in steps if not wanted.site and steps[wanted].action == ISSUE and wanted not in failed]
        outdated = _facts.outdated(sites) if sites else []
        if not outdated and not (without_site and _systemd.is_active(_reload.SERVICE)):
            return
        try:
            _reload.reload()
        except StackError as failure:
            for wanted in steps:
                if wanted.name in outdated or wanted in without_site:
                    failed.setdefault(wanted, StackError("certificate", f"the certificate is there, but {failure.cause}"))
        else:
            self.outcome.reloaded = self.outcome.changed = True
            if self.sites:  # otherwise the next run would remove the self-signed certificates
                _presented.clean(self.sites)


def _active(steps: Steps) -> list[WantedCertificate]:
    return [wanted for wanted, step in steps.items() if step.action != KEEP]
