# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The certificate that each site presents: from certbot, from the user's files, or self-signed.

nginx does not start without a certificate. A site whose certificate can only be obtained with nginx's help starts with a
self-signed one. nginx's configuration names the symlink ``live``; it leads to a directory with the chain and the key, so that
both are replaced by one rename.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _self_signed, _sites
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import Certificate, covered, read

RENEWED = 90
"""A self-signed certificate is replaced when it has fewer days left."""

JOBS = 8
"""Sites at once; openssl takes some 10 ms for each."""

SITES = "/etc/nginx/sites-enabled"
SHARED = "/etc/nginx/conf.d/wsgi.*.conf"
SELF_SIGNED, GIVEN, LINKED = "self-signed", "given", "linked"
"""The names of a site's directories begin with one of these, followed by a digest of the content."""

NEW = ".new"
"""The directory in which a site's next one is prepared. A run that was killed leaves it behind."""


@dataclass(frozen=True)
class Presented:
    """What a site presents.

    :ivar directory: the target of ``live``, "" if there is none
    :ivar certificate: the certificate in it
    """

    directory: str = ""
    certificate: Certificate | None = None

    @property
    def usable(self) -> bool:
        """Whether nginx can load it."""
        return self.certificate is not None and not self.certificate.cause and not self.certificate.wrong_key

    @property
    def kind(self) -> str:
        """``self-signed``, ``given`` or ``linked``; "" for certbot's and other directories that are not ours."""
        name = os.path.basename(self.directory)
        return next((kind for kind in (SELF_SIGNED, GIVEN, LINKED) if name.startswith(f"{kind}-")), "")


def names(site: Mapping[str, Any], host: Sequence[str] = ()) -> list[str]:
    """The names for a self-signed certificate. Pure.

    :param host: the names of the host, for a site without domains
    """
    return list(dict.fromkeys(site["domains"] or ["localhost", *host]))


def wanted(site: Mapping[str, Any], given: Mapping[str, str] | None) -> str:
    """The name of the directory that a site should present; "" if it is not determined by the user's files. Pure.

    :param given: ``chain`` and ``key`` in PEM format, for mode ``files`` with files of the controller
    """
    if site["mode"] != "files":
        return ""
    what = [site["certificate"], site["key"]] if site["on_host"] else [(given or {})["chain"], (given or {})["key"]]
    digest = hashlib.sha256("\0".join(what).encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{LINKED if site['on_host'] else GIVEN}-{digest}"


def stays(site: Mapping[str, Any], presented: Presented, name: str, signed_for: Iterable[str], now: float) -> bool:
    """Whether a site can keep what it presents. Pure.

    :param name: the result of ``wanted``
    :param signed_for: the result of ``names``
    :param now: seconds since the epoch
    """
    if not presented.usable or presented.certificate is None:
        return False
    if name:
        return os.path.basename(presented.directory) == name and not rejected(site, presented.certificate, now)
    if presented.kind == SELF_SIGNED:
        return set(presented.certificate.names) == set(signed_for) and presented.certificate.days(now) >= RENEWED
    # Anything else is used until certbot has another one.
    return site["mode"] == "certbot"


def rejected(site: Mapping[str, Any], certificate: Certificate, now: float) -> str:
    """Why a certificate from the user's files cannot be used for a site, "" if it can. Pure."""
    key = f"the key {site['key']}"
    if certificate.cause:
        return f"{certificate.cause}; provide a certificate and its key in PEM format, without a passphrase"
    if certificate.wrong_key:
        return f"{key} belongs to another certificate than {site['certificate']}; provide a certificate with its own key"
    if certificate.ends and certificate.ends <= now:
        return f"{site['certificate']} expired on {certificate.result(now)['ends']}; provide one that is still valid"
    missing = [domain for domain in site["domains"] if certificate.ends and not covered(domain, certificate.names)]
    if missing:
        listed = ", ".join(certificate.names) or "no name"
        return f"{site['certificate']} is valid for {listed}, but not for {missing[0]}; provide one for all domains"
    return ""


def present(
    site: Mapping[str, Any], given: Mapping[str, str] | None = None, dry: bool = False, root: str = _sites.DIRECTORY
) -> tuple[str, str]:
    """Make sure that a site presents the certificate that it should, and in any case one that nginx can load.

    :param given: ``chain`` and ``key`` in PEM format, for mode ``files`` with files of the controller
    :param dry: check mode: change nothing
    :returns: descriptions of what it presented before and presents now, for a diff
    :raises StackError: the certificate cannot be used; then the site keeps what it had, or gets a self-signed one
    """
    now = time.time()
    before = look(site["name"], root)
    signed_for = names(site, _host_names())
    name = wanted(site, given)
    if stays(site, before, name, signed_for, now):
        return described(before), described(before)
    elsewhere = _of_another_site(site, now, root)
    if dry:
        return described(before), f"{elsewhere or name or SELF_SIGNED}: {', '.join(site['domains'] or signed_for)}"
    try:
        if elsewhere:
            publish(site["name"], elsewhere, root)
        else:
            _make(site, given, name, signed_for, root)
    except StackError:
        if not before.usable:
            _make({**site, "mode": "self_signed"}, None, "", signed_for, root)
        raise
    return described(before), described(look(site["name"], root))


def present_all(
    sites: Sequence[Mapping[str, Any]], given: Mapping[str, Mapping[str, str]], dry: bool = False
) -> tuple[dict[str, tuple[str, str]], list[dict[str, Any]]]:
    """``present`` for all sites.

    :param given: ``chain`` and ``key``, by the name of the site
    :returns: the results of ``present`` by the name of the site, and the failures of the apps of the other sites
    """

    def one(site: Mapping[str, Any]) -> tuple[str, str] | StackError:
        try:
            return present(site, given.get(site["name"]), dry)
        except StackError as failure:
            return failure

    presented: dict[str, tuple[str, str]] = {}
    failures: list[dict[str, Any]] = []
    with ThreadPoolExecutor(JOBS) as pool:
        for site, outcome in zip(sites, pool.map(one, sites)):
            if isinstance(outcome, StackError):
                failures += [outcome.result(app) for app in site["apps"]]
            else:
                presented[site["name"]] = outcome
    return presented, failures


def look(site: str, root: str = _sites.DIRECTORY) -> Presented:
    """What a site presents."""
    directory = published(site, root)
    if not directory:
        return Presented()
    return Presented(directory, read(os.path.join(directory, _sites.CHAIN), os.path.join(directory, _sites.KEY)))


def described(presented: Presented) -> str:
    """What a site presents, in one line, "" for nothing."""
    if presented.certificate is None:
        return ""
    ends = time.strftime("%Y-%m-%d", time.gmtime(presented.certificate.ends))
    what = os.path.basename(presented.directory) if presented.kind else presented.directory
    return f"{what}: {presented.certificate.cause or ', '.join(presented.certificate.names)}, until {ends}"


def published(site: str, root: str = _sites.DIRECTORY) -> str:
    """The target of a site's link ``live``, "" if there is none."""
    link = _sites.live(site, root)
    try:
        return os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
    except OSError:
        return ""


def publish(site: str, directory: str, root: str = _sites.DIRECTORY) -> bool:
    """Make a site present the certificate in a directory. nginx loads it at its next reload, see ``nginx._facts.outdated``.

    :returns: whether this changed anything
    :raises StackError: nginx could not load it; then nothing is changed
    """
    check(site, directory)
    if published(site, root) == directory:
        return False
    link = _sites.live(site, root)
    os.makedirs(os.path.dirname(link), mode=0o755, exist_ok=True)
    ours = os.path.dirname(directory) == os.path.dirname(link)
    _files.replace_link(os.path.basename(directory) if ours else directory, link)
    return True


def check(site: str, directory: str) -> None:
    """Make sure that nginx can load the certificate in a directory.

    :raises StackError: it cannot
    """
    chain, key = os.path.join(directory, _sites.CHAIN), os.path.join(directory, _sites.KEY)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password=lambda: "")
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise StackError(
            "tls", f"OpenSSL cannot load {chain} with {key} for the site {site} ({cause}); provide a certificate with its key."
        ) from None


def clean(sites: Sequence[Mapping[str, Any]], dry: bool = False, root: str = _sites.DIRECTORY) -> list[str]:
    """Remove the directories of certificates that no site presents any more, and of sites that nginx no longer names.

    :param dry: check mode: remove nothing
    :returns: the paths that were removed, or would be
    """
    kept = {site["name"] for site in sites}
    gone = []
    for directory in sorted(glob.glob(os.path.join(glob.escape(root), "*"))):
        site = os.path.basename(directory)
        if site in kept:
            current = published(site, root)
            others = [os.path.join(directory, name) for name in os.listdir(directory)]
            gone += [path for path in others if path not in (_sites.live(site, root), current)]
        elif not configured(site, _sites.live(site, root)) and not shared(_sites.live(site, root)):
            gone.append(directory)
    if not dry:
        for path in gone:
            if os.path.islink(path):
                os.unlink(path)
            else:
                shutil.rmtree(path)
    return gone


def configured(site: str, path: str) -> bool:
    """Whether the enabled file of a site in nginx's configuration names a path."""
    return path in _files.text_of(os.path.join(SITES, f"{site}.conf"), -1)


def shared(path: str) -> bool:
    """Whether a file that several sites have in common names a path: an nginx that cannot reject names presents a certificate."""
    return any(path in _files.text_of(found, -1) for found in glob.glob(SHARED))


def _of_another_site(site: Mapping[str, Any], now: float, root: str) -> str:
    """A certbot directory that another site presents and that is valid for all names of this one; "" if there is none.

    A site has the name of the first app on its domains. If that is another app now, the site gets a new name and keeps its
    certificate.
    """
    if site["mode"] != "certbot" or not os.path.isdir(root):
        return ""
    for other in sorted(os.listdir(root)):
        found = look(other, root)
        if found.kind or not found.usable or found.certificate is None or found.certificate.ends <= now:
            continue
        if all(covered(domain, found.certificate.names) for domain in site["domains"]):
            return found.directory
    return ""


def _host_names() -> list[str]:
    return [name.lower() for name in (socket.gethostname(), socket.getfqdn()) if name]


def _make(site: Mapping[str, Any], given: Mapping[str, str] | None, name: str, signed_for: Sequence[str], root: str) -> None:
    """Create the next directory of a site, and make the site present it."""
    new = os.path.join(_sites.directory(site["name"], root), NEW)
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new, mode=0o755)
    chain, key = os.path.join(new, _sites.CHAIN), os.path.join(new, _sites.KEY)
    try:
        if site["mode"] != "files":
            name = f"{SELF_SIGNED}-{_self_signed.create(chain, key, signed_for, site['name'])}"
        else:
            if site["on_host"]:
                os.symlink(site["certificate"], chain)
                os.symlink(site["key"], key)
            else:
                _write(chain, (given or {})["chain"], 0o644)
                _write(key, (given or {})["key"], 0o600)
            cause = rejected(site, read(chain, key), time.time())
            if cause:
                raise StackError("tls", f"{cause}.")
        check(site["name"], new)
        final = os.path.join(os.path.dirname(new), name)
        shutil.rmtree(final, ignore_errors=True)  # the site does not present it, or it would have been kept
        os.rename(new, final)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    publish(site["name"], final, root)


def _write(path: str, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8", newline="") as stream:
        stream.write(text)
        os.fchmod(descriptor, mode)
