# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates by certbot: what there is, what is wanted, what is to be done about it, and doing that, one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _acme, _challenge, _command, _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage
from ansible_collections.wsgi.stack.plugins.module_utils.host import _environment, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, write
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _facts, _reload
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import DAY, OVERDUE

KEEP, CONFIGURE, ISSUE = "keep", "configure", "issue"


@dataclass(frozen=True)
class Wish:
    """A certificate that is wanted.

    :ivar name: what certbot shall call it, if there is none for these names under another name
    :ivar domains: the names that it is for, in order: the first becomes the subject
    :ivar apps: those that go without if it cannot be had
    :ivar site: nginx's site that presents it, None if that is not this module's business
    """

    name: str
    domains: tuple[str, ...]
    apps: tuple[str, ...]
    site: Mapping[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Settings:
    """How certificates are had.

    :ivar server: the URL of the ACME server's directory
    :ivar options: certbot's further options
    :ivar key_type: ``rsa`` or ``ecdsa``; None leaves it to certbot
    :ivar minimum_days: days that have to be left; None for a quarter of its time, 20 days at the most
    :ivar check_names: ask for a file of our own through each name, before the CA is asked
    :ivar bundle: a file of CA certificates to trust in place of the host's trust store
    """

    server: str
    webroot: str = _sites.WEBROOT
    email: str | None = None
    agree_tos: bool = False
    options: tuple[str, ...] = ()
    key_type: str | None = None
    minimum_days: int | None = None
    check_names: bool = True
    bundle: str | None = None
    directory: str = _lineage.DIRECTORY

    @property
    def way(self) -> str:
        """How names are proven, as certbot calls it."""
        return _command.way(self.options)


@dataclass(frozen=True)
class Step:
    """What is done for a certificate.

    :ivar action: ``keep``, ``configure`` (how it is renewed) or ``issue``
    :ivar lineage: certbot's name for it
    :ivar reason: why, in words
    """

    action: str
    lineage: str
    reason: str = ""


@dataclass
class Outcome:
    """What has become of all certificates, by their wishes' names, and the failures."""

    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    reloaded: bool = False
    changed: bool = False


def wishes(apps: Sequence[Mapping[str, Any]] | None, certificates: Sequence[Mapping[str, Any]] | None) -> list[Wish]:
    """What is wanted: by the sites of resolved apps, or as a list. Pure."""
    if apps is not None:
        sites = [site for site in _sites.sites(apps) if site["mode"] == "certbot"]
        return [Wish(site["name"], tuple(site["domains"]), tuple(site["apps"]), site) for site in sites]
    return [
        Wish(each["name"], tuple(dict.fromkeys(name.lower() for name in each["domains"])), tuple(each["apps"] or [each["name"]]))
        for each in certificates or ()
    ]


def check(found: Sequence[Wish], settings: Settings) -> None:
    """Refuse what cannot be had, before anything is looked at.

    :raises StackError: the first mistake
    """
    try:
        own = _command.refused(settings.options)
    except ValueError as error:
        raise StackError("certificate", f"options: they cannot be read: {error}; write each as in a shell.") from None
    if own:
        raise StackError("certificate", f"options: found {own}, which follows from another option of the module; remove it.")
    names = [wish.name for wish in found]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated:
        raise StackError("certificate", f"certificates: found the name {repeated} twice, wanted once; rename one of the two.")
    for wish in found:
        if not wish.domains:
            raise StackError("certificate", f"certificates: {wish.name} has no domains, wanted one or more; add them.")


def lineage_of(wish: Wish, found: Mapping[str, Lineage], claimed: Iterable[str], presented: str, directory: str) -> str:
    """The name of the lineage that serves a wish, whether or not there is one of it. Pure.

    One that certbot was told by hand to make has a name of its own, and is taken over if it is for nothing but what is wanted:
    it would be renewed for ever beside ours, in the way that its maker chose.

    :param claimed: the names of all wishes
    :param presented: the directory that the site presents now, "" if none
    """
    taken = set(claimed) - {wish.name}
    current = os.path.basename(presented)
    if presented and presented == _lineage.live(current, directory) and current in found and current not in taken:
        return current
    if wish.name in found:
        return wish.name
    wanted = set(wish.domains)
    fitting = [
        each for name, each in found.items() if name not in taken and not each.trouble and each.names and each.names <= wanted
    ]
    best = max(fitting, key=lambda each: (len(each.names), each.ends, each.name), default=None)
    return best.name if best else wish.name


def plan(wish: Wish, name: str, lineage: Lineage | None, settings: Settings, now: float, overdue: bool = False) -> Step:
    """What is to be done for a wish. Pure.

    :param name: of the lineage, what ``lineage_of`` returned
    :param lineage: what there is of it
    :param now: seconds since the epoch
    :param overdue: whether its CA wants it replaced, as when it was revoked
    """
    if lineage is None:
        return Step(ISSUE, name, "there is none")
    if lineage.trouble:
        return Step(ISSUE, name, f"what there is cannot be used: {lineage.trouble}")
    reasons = [*_names(wish, lineage), *_terms(lineage, settings), *_time(lineage, settings, now, overdue)]
    if reasons:
        return Step(ISSUE, name, "; ".join(reasons))
    reason = _renewal(lineage, settings)
    return Step(CONFIGURE, name, reason) if reason else Step(KEEP, name)


def _names(wish: Wish, lineage: Lineage) -> list[str]:
    added, removed = sorted(set(wish.domains) - lineage.names), sorted(lineage.names - set(wish.domains))
    return [
        *([f"it is not for {', '.join(added)} yet"] if added else []),
        *([f"it is still for {', '.join(removed)}"] if removed else []),
    ]


def _terms(lineage: Lineage, settings: Settings) -> list[str]:
    found = []
    if lineage.server != settings.server:
        found.append(f"it is from {lineage.server or 'an unknown server'}")
    if settings.key_type and lineage.key_type != settings.key_type:
        found.append(f"its key is {lineage.key_type}")
    # Only certbot itself knows what else another way takes, so that it has to go it once.
    if settings.way not in ("webroot", lineage.authenticator):
        found.append(f"its names are proven by {lineage.authenticator or 'nothing'}, not by {settings.way}")
    return found


def _time(lineage: Lineage, settings: Settings, now: float, overdue: bool) -> list[str]:
    least = settings.minimum_days
    needed = least * DAY if least is not None else min(OVERDUE * DAY, (lineage.ends - lineage.begins) / 4)
    left = lineage.ends - now
    if left <= 0:
        return [f"it ended on {_date(lineage.ends)}"]
    if left < needed:
        return [f"it ends on {_date(lineage.ends)} and has not been renewed"]
    return ["its CA wants it replaced now, as when it is revoked"] if overdue else []


def _renewal(lineage: Lineage, settings: Settings) -> str:
    """What is wrong with how it will be renewed, "" if nothing is."""
    found = []
    if settings.way == "webroot":
        if lineage.authenticator != "webroot":
            found.append(f"its names are proven by {lineage.authenticator or 'nothing'}, not by webroot")
        elif lineage.webroots != {settings.webroot}:
            found.append(f"its challenges are answered from {', '.join(sorted(lineage.webroots)) or 'nowhere'}")
    if lineage.installer and lineage.installer != settings.way:
        found.append(f"its renewal changes the configuration of {lineage.installer}")
    return "; ".join(found)


def described(wish: Wish, lineage: Lineage | None) -> str:
    """A certificate in a few lines, for a diff. Pure."""
    if lineage is None:
        return ""
    if lineage.trouble:
        return f"{wish.name}: {lineage.trouble}\n"
    by = lineage.authenticator + (f" and {lineage.installer}" if lineage.installer else "")
    return (
        f"{wish.name}: {', '.join(sorted(lineage.names))}\n"
        f"  from {lineage.server}\n  key {lineage.key_type or 'as certbot chooses'}\n  until {_end(lineage)}\n  renewed by {by}\n"
    )


def expected(wish: Wish, step: Step, lineage: Lineage | None, settings: Settings) -> Lineage | None:
    """What a step will lead to, as far as it is known before it is taken. Pure."""
    if step.action == KEEP:
        return lineage
    before = lineage or Lineage(step.lineage)
    key_type = settings.key_type or before.key_type
    if step.action == ISSUE:
        names = frozenset(wish.domains)
        return Lineage(step.lineage, names, key_type=key_type, server=settings.server, authenticator=settings.way)
    authenticator = "webroot" if settings.way == "webroot" else before.authenticator
    return Lineage(
        before.name, before.names, before.begins, before.ends, key_type, server=before.server, authenticator=authenticator
    )


def _end(lineage: Lineage) -> str:
    return _date(lineage.ends) if lineage.ends else "the CA's choice"


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


class Certificates:
    """One run over many certificates: look at all, plan all, then change anything.

    :param dry: check mode: say what would be done
    :param sites: all sites with TLS, where apps were given
    :param blind: whether there is no openssl to look with, as in check mode on a new host: then there is nothing to see either
    """

    def __init__(
        self, wanted: Sequence[Wish], settings: Settings, dry: bool, sites: Sequence[Mapping[str, Any]] = (), blind: bool = False
    ):
        self.wanted = wanted
        self.settings = settings
        self.dry = dry
        self.sites = sites
        self.blind = blind
        self.outcome = Outcome()

    def converge(self) -> Outcome:
        """Do it all.

        :raises StackError: what is no single certificate's fault
        """
        before = {} if self.blind else _lineage.read(self.settings.directory)
        steps = self._plan(before)
        failed = self._take(steps, before) if not self.dry else {}
        after = _lineage.read(self.settings.directory) if not self.dry and self._active(steps) else before
        self._tell(steps, before, after, failed)
        if self.dry:
            self._foresee(steps, before)
        else:
            self._present(steps, after, failed)
        for wish in self.wanted:
            if wish in failed:
                self.outcome.failures += [failed[wish].result(app) for app in wish.apps]
        return self.outcome

    def _active(self, steps: Mapping[Wish, Step]) -> list[Wish]:
        return [wish for wish, step in steps.items() if step.action != KEEP]

    def _plan(self, before: Mapping[str, Lineage]) -> dict[Wish, Step]:
        names = [wish.name for wish in self.wanted]
        now = time.time()
        steps = {}
        for wish in self.wanted:
            presented = _presented.published(wish.name) if wish.site else ""
            name = lineage_of(wish, before, names, presented, self.settings.directory)
            steps[wish] = plan(wish, name, before.get(name), self.settings, now)
        fitting = [wish for wish, step in steps.items() if step.action != ISSUE]
        for wish in self._overdue(fitting, steps, before, now):
            name = steps[wish].lineage
            steps[wish] = plan(wish, name, before[name], self.settings, now, overdue=True)
        return steps

    def _overdue(
        self, fitting: Sequence[Wish], steps: Mapping[Wish, Step], before: Mapping[str, Lineage], now: float
    ) -> list[Wish]:
        """Those that their CA wants replaced. A CA that cannot be asked changes nothing."""
        if not fitting:
            return []
        try:
            trust = self._trust()
            found = _acme.directory(self.settings.server, trust)
        except StackError:
            return []
        with ThreadPoolExecutor(max_workers=_lineage.JOBS) as pool:
            asked = pool.map(lambda wish: _acme.wants_replaced(before[steps[wish].lineage], found, trust, now), fitting)
            return [wish for wish, wants in zip(fitting, asked) if wants]

    def _trust(self) -> Any:
        try:
            return _acme.context(self.settings.bundle, _command.words(self.settings.options))
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or error
            raise StackError("certificate", f"{self.settings.bundle} cannot be read as CA certificates ({words}).") from None

    def _take(self, steps: Mapping[Wish, Step], before: Mapping[str, Lineage]) -> dict[Wish, StackError]:
        """Take the steps that change something; the failures."""
        failed: dict[Wish, StackError] = {}
        active = self._active(steps)
        if not active:
            return failed
        if self.settings.way == "webroot":
            failed.update(self._checked_names(active))
        todo = [wish for wish in active if wish not in failed]
        refusal = self._refusal([wish for wish in todo if steps[wish].action == ISSUE])
        for wish in todo:
            step = steps[wish]
            try:
                if step.action == CONFIGURE:
                    self._configure(step)
                elif refusal:
                    raise refusal
                else:
                    self._issue(wish, step, before.get(step.lineage))
            except StackError as failure:
                failed[wish] = failure
            except OSError as error:
                failed[wish] = from_os_error(error, "certificate")
        return failed

    def _checked_names(self, active: Sequence[Wish]) -> dict[Wish, StackError]:
        failed = {}
        for wish in active:
            wildcard = next((name for name in wish.domains if name.startswith("*.")), None)
            if wildcard:
                failed[wish] = StackError(
                    "certificate",
                    f"{wildcard}: a CA only certifies it by way of DNS; give certbot such a way by options, or name the hosts.",
                )
        todo = [wish for wish in active if wish not in failed]
        if not self.settings.check_names or not todo:
            _challenge.prepare(self.settings.webroot)
            return failed
        with _challenge.offered(self.settings.webroot) as (path, content):
            visits = _challenge.visits((name for wish in todo for name in wish.domains), path, content)
        for wish in todo:
            sentence = _challenge.sentence({name: visits[name] for name in wish.domains}, self.settings.webroot)
            if sentence:
                failed[wish] = StackError("certificate", sentence)
        return failed

    def _refusal(self, todo: Sequence[Wish]) -> StackError | None:
        """Why no certificate can be had at all."""
        if not todo:
            return None
        server = self.settings.server
        try:
            found = _acme.directory(server, self._trust())
        except StackError as failure:
            return failure
        if not self.settings.agree_tos and not _command.has_account(server, self.settings.directory):
            meta = found.get("meta")
            terms = meta.get("termsOfService") if isinstance(meta, dict) else None
            return StackError(
                "certificate",
                f"certbot has no account at {server} yet, and to get one is to agree to its terms of service"
                f"{f' ({terms})' if terms else ''}; read them and set agree_tos (certbot_agree_tos) to true.",
            )
        return None

    def _issue(self, wish: Wish, step: Step, lineage: Lineage | None) -> None:
        aside = _lineage.put_aside(step.lineage, self.settings.directory) if lineage and lineage.trouble else {}
        argv = _command.command(
            step.lineage,
            wish.domains,
            self.settings.server,
            self.settings.options,
            self.settings.webroot,
            self.settings.key_type,
            self.settings.email,
            self.settings.agree_tos,
            lineage.hook if lineage else "",
        )
        ended, log = _command.obtain(argv, self._environment())
        problem = _command.failure(ended, log) if ended.code else None
        found = _lineage.read_one(step.lineage, self.settings.directory)
        if not problem and (found.trouble or found.names != set(wish.domains)):
            what = found.trouble or f"it is for {', '.join(sorted(found.names))}"
            problem = StackError("certificate", f"certbot ended well, but the certificate is not right: {what}.", ended.output)
        if problem:
            self._take_back(aside)
            raise problem

    def _environment(self) -> dict[str, str]:
        bundle = {"REQUESTS_CA_BUNDLE": self.settings.bundle} if self.settings.bundle else {}
        return {**_environment.inherited("REQUESTS_CA_BUNDLE"), **bundle}

    def _take_back(self, aside: Mapping[str, str]) -> None:
        for path, now in aside.items():
            if not os.path.lexists(path):
                os.rename(now, path)

    def _configure(self, step: Step) -> None:
        path = _lineage.configuration(step.lineage, self.settings.directory)
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        webroot = self.settings.way == "webroot"
        wanted = _lineage.by_webroot(text, self.settings.webroot) if webroot else _lineage.without_installer(text)
        found = os.stat(path)
        write(path, File(wanted, found.st_mode & 0o777, str(found.st_uid), str(found.st_gid)))

    def _tell(
        self,
        steps: Mapping[Wish, Step],
        before: Mapping[str, Lineage],
        after: Mapping[str, Lineage],
        failed: Mapping[Wish, StackError],
    ) -> None:
        now = time.time()
        for wish, step in steps.items():
            was, lineage = before.get(step.lineage), after.get(step.lineage)
            done = step.action != KEEP and wish not in failed
            if self.dry:
                lineage = expected(wish, step, was, self.settings)
            old, new = described(wish, was), described(wish, lineage)
            if done:
                self.outcome.changed = True
                self.outcome.diff.append(
                    {"before": old, "after": new, "before_header": wish.name, "after_header": f"{wish.name}: {step.reason}"}
                )
            if wish in failed:
                continue
            known = lineage is not None and lineage.ends
            self.outcome.certificates[wish.name] = {
                "lineage": step.lineage,
                "directory": _lineage.live(step.lineage, self.settings.directory),
                "names": sorted(wish.domains),
                "ends": _date(lineage.ends) if lineage and known else None,
                "days_left": int((lineage.ends - now) // DAY) if lineage and known else None,
                "action": f"would {step.action}" if self.dry and done else step.action,
                "reason": step.reason,
            }

    def _foresee(self, steps: Mapping[Wish, Step], before: Mapping[str, Lineage]) -> None:
        """Whether nginx presents what there is, as after a run that was killed it may not."""
        sites = [wish.site for wish, step in steps.items() if wish.site and step.action != ISSUE]
        for wish, step in steps.items():
            if wish.site and step.lineage in before and not before[step.lineage].trouble:
                directory = _lineage.live(step.lineage, self.settings.directory)
                self.outcome.changed |= _presented.published(wish.name) != directory
        self.outcome.reloaded = bool(sites and _facts.outdated(sites))
        self.outcome.changed |= self.outcome.reloaded

    def _present(self, steps: Mapping[Wish, Step], after: Mapping[str, Lineage], failed: dict[Wish, StackError]) -> None:
        """Have nginx present what there is now; also for one that could not be replaced, but is there."""
        sites = []
        for wish, step in steps.items():
            lineage = after.get(step.lineage)
            if not wish.site or lineage is None or lineage.trouble:
                continue
            if wish in failed and not set(wish.domains) & lineage.names:
                continue
            try:
                self.outcome.changed |= _presented.publish(wish.name, _lineage.live(step.lineage, self.settings.directory))
                sites.append(wish.site)
            except StackError as failure:
                failed.setdefault(wish, failure)
        mine = [wish for wish in steps if not wish.site and steps[wish].action == ISSUE and wish not in failed]
        stale = _facts.outdated(sites) if sites else []
        if not stale and not (mine and _systemd.is_active(_reload.SERVICE)):
            return
        try:
            _reload.reload()
        except StackError as failure:
            for wish in steps:
                if wish.name in stale or wish in mine:
                    failed.setdefault(wish, StackError("certificate", f"the certificate is there, but {failure.cause}"))
        else:
            self.outcome.reloaded = self.outcome.changed = True
            if self.sites:  # else the next run would remove the certificates that they signed themselves
                _presented.clean(self.sites)
