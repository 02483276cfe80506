# SPDX-License-Identifier: GPL-3.0-or-later
"""What each site presents to visitors: a certificate of somebody's or one that it signs itself, behind a link that nginx names.

nginx does not start without a certificate, so a site whose certificate can only be had with nginx's help starts with one that it
signs itself. The link ``live`` leads to a directory with the chain and the key, so that both change by one rename.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
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
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _sites
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import Certificate, covered, read, served

VALID = 824
"""Days for which a site signs itself: the most that Apple's systems take, whoever signed (support.apple.com/103769)."""

RENEWED = 90
"""Days before its end at which a certificate that the site signed itself is replaced."""

JOBS = 8
"""Sites at once; openssl takes some 10 ms for each."""

SITES = "/etc/nginx/sites-enabled"
SELF_SIGNED, GIVEN, LINKED = "self-signed", "given", "linked"
"""What the directories of a site are called by, each followed by a digest of what is in it."""

NEW = ".new"
"""The directory of a site in which the next one is made; of a run that was killed, it is left."""

CONFIGURATION = """
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = {name}
[extensions]
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
"""


@dataclass(frozen=True)
class Presented:
    """What a site presents.

    :ivar directory: where ``live`` leads to, "" if it leads nowhere
    :ivar certificate: what is there
    """

    directory: str = ""
    certificate: Certificate | None = None

    @property
    def usable(self) -> bool:
        """Whether nginx can load it."""
        return self.certificate is not None and not self.certificate.trouble and not self.certificate.wrong_key

    @property
    def kind(self) -> str:
        """What the directory is called by; "" if it is not one of ours, as certbot's is."""
        name = os.path.basename(self.directory)
        return next((kind for kind in (SELF_SIGNED, GIVEN, LINKED) if name.startswith(f"{kind}-")), "")


def names(site: Mapping[str, Any], host: Sequence[str] = ()) -> list[str]:
    """The names that a site signs itself for. Pure.

    :param host: those of the host, for a site without domains
    """
    return list(dict.fromkeys(site["domains"] or ["localhost", *host]))


def wanted(site: Mapping[str, Any], given: Mapping[str, str] | None) -> str:
    """The name of the directory that a site shall present; "" if any will do that is signed, by itself or by certbot's CA. Pure.

    :param given: ``chain`` and ``key`` in PEM form, of mode ``files``
    """
    if site["mode"] != "files":
        return ""
    what = [site["certificate"], site["key"]] if site["on_host"] else [(given or {})["chain"], (given or {})["key"]]
    digest = hashlib.sha256("\0".join(what).encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{LINKED if site['on_host'] else GIVEN}-{digest}"


def stays(site: Mapping[str, Any], presented: Presented, name: str, signed_for: Iterable[str], now: float) -> bool:
    """Whether what a site presents is what it shall present. Pure.

    :param name: what ``wanted`` returned
    :param signed_for: what ``names`` returned
    :param now: seconds since the epoch
    """
    if not presented.usable or presented.certificate is None:
        return False
    if name:
        return os.path.basename(presented.directory) == name and not objection(site, presented.certificate, now)
    if presented.kind == SELF_SIGNED:
        return set(presented.certificate.names) == set(signed_for) and presented.certificate.days(now) >= RENEWED
    # Whatever else there is serves until certbot has another one.
    return site["mode"] == "certbot"


def objection(site: Mapping[str, Any], certificate: Certificate, now: float) -> str:
    """Why a given certificate does not do for a site, "" if it does. Pure."""
    key = f"the key {site['key']}"
    if certificate.trouble:
        return f"{certificate.trouble}; give a certificate and its key in PEM form, without a passphrase"
    if certificate.wrong_key:
        return f"{key} belongs to another certificate than {site['certificate']}; give the two that belong together"
    if certificate.ends and certificate.ends <= now:
        return f"{site['certificate']} ended on {certificate.result(now)['ends']}; give one that has not"
    missing = [domain for domain in site["domains"] if certificate.ends and not covered(domain, certificate.names)]
    if missing:
        listed = ", ".join(certificate.names) or "no name"
        return f"{site['certificate']} is for {listed}, and not for {missing[0]}; give one that is for all domains"
    return ""


def present(
    site: Mapping[str, Any], given: Mapping[str, str] | None = None, dry: bool = False, root: str = _sites.DIRECTORY
) -> tuple[str, str]:
    """See to it that a site presents what it shall, or anything at all.

    :returns: what it presented before and what it does now, in words, for a diff
    :raises StackError: what it shall present does not do; then it presents what it did before, or signs itself
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


def stapled(sites: Sequence[Mapping[str, Any]], given: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The sites whose given certificate says where to ask whether it still holds (RFC 6960); Let's Encrypt's no longer do."""
    found = []
    for site in sites:
        if site["mode"] != "files":
            continue
        source = ["-in", site["certificate"]] if site["on_host"] else []
        chain = given.get(site["name"], {}).get("chain", "").encode()
        asked = run(["openssl", "x509", "-noout", "-ocsp_uri", *source], stdin=chain)
        if asked.code == 0 and asked.output.startswith("http"):
            found.append(site["name"])
    return found


def versions() -> dict[str, str]:
    """The versions of nginx and of its OpenSSL; where there is no nginx, of what will be installed, as far as that is known."""
    shown = run(["nginx", "-V"])
    if shown.code == 0:
        number = re.search(r"nginx version: \S+?/([0-9.]+)", shown.output)
        library = re.search(r"running with OpenSSL ([0-9.]+)", shown.output) or re.search(r"OpenSSL ([0-9.]+)", shown.output)
    else:
        policy = run(["apt-cache", "policy", "nginx"], environment={"LC_ALL": "C.UTF-8"})
        number = re.search(r"Candidate: (?:[0-9]+:)?([0-9.]+)", policy.output)
        library = re.search(r"OpenSSL ([0-9.]+)", run(["openssl", "version"]).output)
    return {name: found[1] for name, found in (("nginx", number), ("openssl", library)) if found}


def present_all(
    sites: Sequence[Mapping[str, Any]], given: Mapping[str, Mapping[str, str]], dry: bool = False
) -> tuple[dict[str, tuple[str, str]], list[dict[str, Any]]]:
    """What ``present`` does, for all sites.

    :param given: by the name of the site
    :returns: what ``present`` returned, by the name of the site, and the failures of the others' apps
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
    """What a site presents, in a line."""
    if presented.certificate is None:
        return ""
    ends = time.strftime("%Y-%m-%d", time.gmtime(presented.certificate.ends))
    what = os.path.basename(presented.directory) if presented.kind else presented.directory
    return f"{what}: {presented.certificate.trouble or ', '.join(presented.certificate.names)}, until {ends}"


def published(site: str, root: str = _sites.DIRECTORY) -> str:
    """The directory that a site's link leads to, "" if there is none."""
    link = _sites.live(site, root)
    try:
        return os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
    except OSError:
        return ""


def publish(site: str, directory: str, root: str = _sites.DIRECTORY) -> bool:
    """Have a site present what is in a directory; nginx does so when it is reloaded, see ``outdated``.

    :returns: whether it was another directory before
    :raises StackError: there is no chain with its key in it; then nothing is changed
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
    """Make sure that nginx can load what is in a directory.

    :raises StackError: it cannot
    """
    chain, key = os.path.join(directory, _sites.CHAIN), os.path.join(directory, _sites.KEY)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password=lambda: "")
    except (OSError, ValueError) as error:
        words = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise StackError(
            "tls", f"OpenSSL does not take {chain} with {key} for the site {site} ({words}); give a certificate with its key."
        ) from None


def outdated(sites: Sequence[Mapping[str, Any]], root: str = _sites.DIRECTORY) -> list[str]:
    """The sites for which nginx presents another certificate than they shall.

    Asked of nginx itself, since a run that was killed may have re-pointed a link and loaded nothing. A site that nginx is not
    configured for yet is none of them.
    """

    def stale(site: Mapping[str, Any]) -> bool:
        chain = os.path.join(_sites.live(site["name"], root), _sites.CHAIN)
        if not _configured(site["name"], chain):
            return False
        shown = served(site["port"], (site["domains"] or ["localhost"])[0].replace("*", "www", 1))
        return bool(shown) and shown != read(chain, "").fingerprint

    with ThreadPoolExecutor(JOBS) as pool:
        return [site["name"] for site, is_stale in zip(sites, pool.map(stale, sites)) if is_stale]


def clean(sites: Sequence[Mapping[str, Any]], dry: bool = False, root: str = _sites.DIRECTORY) -> list[str]:
    """Remove what no site presents any more, and sites that nginx is not configured for any more.

    :returns: what was removed, or would be
    """
    kept = {site["name"] for site in sites}
    gone = []
    for directory in sorted(glob.glob(os.path.join(glob.escape(root), "*"))):
        site = os.path.basename(directory)
        if site in kept:
            current = published(site, root)
            others = [os.path.join(directory, name) for name in os.listdir(directory)]
            gone += [path for path in others if path not in (_sites.live(site, root), current)]
        elif not _configured(site, _sites.live(site, root)):
            gone.append(directory)
    if not dry:
        for path in gone:
            if os.path.islink(path):
                os.unlink(path)
            else:
                shutil.rmtree(path)
    return gone


def _configured(site: str, path: str) -> bool:
    """Whether a file of nginx's names a path; that of the site, as others do not."""
    try:
        with open(os.path.join(SITES, f"{site}.conf"), encoding="utf-8", errors="replace") as stream:
            return path in stream.read()
    except OSError:
        return False


def _of_another_site(site: Mapping[str, Any], now: float, root: str) -> str:
    """The directory of certbot's that another site presents, for all names of this one; "" if there is none.

    As where another app is the first on its domains by now: the site is called by that one, and its visitors are the same.
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
    """Make the next directory of a site, and have the site present it."""
    new = os.path.join(_sites.directory(site["name"], root), NEW)
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new, mode=0o755)
    chain, key = os.path.join(new, _sites.CHAIN), os.path.join(new, _sites.KEY)
    try:
        if site["mode"] != "files":
            name = f"{SELF_SIGNED}-{_sign(chain, key, signed_for, site['name'])}"
        else:
            if site["on_host"]:
                os.symlink(site["certificate"], chain)
                os.symlink(site["key"], key)
            else:
                _write(chain, (given or {})["chain"], 0o644)
                _write(key, (given or {})["key"], 0o600)
            reason = objection(site, read(chain, key), time.time())
            if reason:
                raise StackError("tls", f"{reason}.")
        check(site["name"], new)
        final = os.path.join(os.path.dirname(new), name)
        shutil.rmtree(final, ignore_errors=True)  # it is not what the site presents, or it would have stayed
        os.rename(new, final)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    publish(site["name"], final, root)


def _sign(chain: str, key: str, signed_for: Sequence[str], common: str) -> str:
    """Make a key, and a certificate that it signs itself.

    :param common: what users see as the certificate's name
    :returns: a digest
    :raises StackError: openssl's last words
    """
    configuration = CONFIGURATION.format(name=common, names=", ".join(f"DNS:{name}" for name in signed_for))
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256"]
    paths = ["-days", str(VALID), "-keyout", key, "-out", chain, "-config", "/dev/stdin"]
    signed = run([*argv, *paths], stdin=configuration.encode(), umask=0o077)
    if signed.code != 0:
        raise StackError("tls", f"openssl makes no certificate: {signed.last_line}.", signed.output)
    os.chmod(chain, 0o644)
    with open(chain, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()[:16]


def _write(path: str, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8", newline="") as stream:
        stream.write(text)
        os.fchmod(descriptor, mode)
