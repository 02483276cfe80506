# SPDX-License-Identifier: GPL-3.0-or-later
"""What certbot keeps of each certificate: the certificate itself, and how it is renewed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _certificate

DIRECTORY = _certificate.LETSENCRYPT
JOBS = 8
TIMEOUT = 15.0  # seconds

# The text has the kind of key, and nothing else that is looked for; of its extensions only the two that are named.
SHOWN = (
    *("-serial", "-startdate", "-enddate", "-subject", "-issuer", "-ext", "subjectAltName,authorityKeyIdentifier"),
    *("-text", "-certopt", "no_extensions,no_sigdump"),
)
KEY_TYPES = {"rsaEncryption": "rsa", "id-ecPublicKey": "ecdsa"}

ASIDE = ".unusable-"
"""Comes behind the name of what was put aside, with a number."""

HALTING = ("pre_hook", "post_hook")
"""Hooks that a certificate by certbot's own server needs to have nginx out of the way."""


@dataclass(frozen=True)
class Lineage:
    """A certificate of certbot's.

    :ivar name: certbot's own for it, as in ``--cert-name``
    :ivar names: those that it is for
    :ivar begins: seconds since the epoch, ``ends`` likewise
    :ivar key_type: ``rsa`` or ``ecdsa``, else what openssl calls it
    :ivar serial: its number, hexadecimal; ``authority`` likewise, the identifier of its issuer's key, "" if it has none
    :ivar server: the URL of the ACME server that it is from
    :ivar authenticator: how its names are proven at its renewal
    :ivar installer: the plugin that puts it into a server's configuration, "" if none does
    :ivar webroots: the directories for the answers to challenges
    :ivar hook: what is run after its renewal, "" if nothing is
    :ivar trouble: why it cannot be used, "" if it can
    """

    name: str
    names: frozenset[str] = frozenset()
    begins: float = 0.0
    ends: float = 0.0
    key_type: str = ""
    serial: str = ""
    authority: str = ""
    server: str = ""
    authenticator: str = ""
    installer: str = ""
    webroots: frozenset[str] = frozenset()
    hook: str = ""
    trouble: str = ""


def live(name: str, directory: str = DIRECTORY) -> str:
    """The directory with what a server presents of a lineage, ``fullchain.pem`` and ``privkey.pem``."""
    return os.path.join(directory, "live", name)


def configuration(name: str, directory: str = DIRECTORY) -> str:
    """The file that says how a lineage is renewed."""
    return os.path.join(directory, "renewal", f"{name}.conf")


def read(directory: str = DIRECTORY) -> dict[str, Lineage]:
    """All lineages, by name, also what is left of one."""
    found: set[str] = set()
    for below, suffix in (("live", ""), ("archive", ""), ("renewal", ".conf")):
        path = os.path.join(directory, below)
        entries = os.listdir(path) if os.path.isdir(path) else []
        names = [entry[: len(entry) - len(suffix)] for entry in entries if entry.endswith(suffix) and entry != "README"]
        found.update(name for name in names if ASIDE not in name)
    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        return {each.name: each for each in pool.map(lambda name: read_one(name, directory), sorted(found))}


def read_one(name: str, directory: str = DIRECTORY) -> Lineage:
    """One lineage, or what is left of it."""
    renewal = configuration(name, directory)
    if not os.path.exists(renewal):
        return Lineage(name, trouble=f"{renewal} is missing")
    lineage = Lineage(name)
    try:
        with open(renewal, encoding="utf-8", errors="replace") as stream:
            lineage = configured(lineage, options(stream.read()))
    except OSError as error:
        return replace(lineage, trouble=f"{renewal} cannot be read: {error.strerror}")
    certificate = os.path.join(live(name, directory), "cert.pem")
    whole = _certificate.read(certificate, os.path.join(live(name, directory), "privkey.pem"))
    if whole.cause or whole.wrong_key:
        return replace(lineage, trouble=whole.cause or f"the key {whole.key} belongs to another certificate")
    return parse(lineage, run(["openssl", "x509", "-in", certificate, "-noout", *SHOWN], timeout=TIMEOUT).output)


def ordered(name: str, webroot: str, directory: str = DIRECTORY) -> bool:
    """Whether a lineage is renewed as those are that were ordered here: by files in a directory that nobody else has."""
    found = configured(Lineage(name), options(_files.text_of(configuration(name, directory))))
    return found.authenticator == "webroot" and found.webroots == {webroot}


def parse(lineage: Lineage, shown: str) -> Lineage:
    """A lineage with what ``openssl x509`` shows of its certificate. Pure."""
    certificate = _certificate.parse(lineage.name, shown)
    algorithm = re.search(r"Public Key Algorithm: (\S+)", shown)
    serial = re.search(r"^serial=([0-9A-F]+)$", shown, re.MULTILINE)
    # OpenSSL 1.1 puts `keyid:` in front, and what else identifies the issuer on the lines after it.
    authority = re.search(r"Authority Key Identifier: *\n\s+(?:keyid:)?([0-9A-F]{2}(?::[0-9A-F]{2})+)", shown)
    return replace(
        lineage,
        names=frozenset(certificate.names),
        begins=certificate.begins,
        ends=certificate.ends,
        key_type=KEY_TYPES.get(algorithm[1], algorithm[1]) if algorithm else "",
        serial=serial[1] if serial else "",
        authority=authority[1].replace(":", "") if authority else "",
    )


def options(text: str) -> dict[str, str]:
    """What a configuration of a renewal says, by option; the entries of ``[[webroot_map]]`` as one option of that name. Pure.

    It is written by configobj: sections in brackets, their depth the number of those, lists with commas.
    """
    found: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        heading = re.match(r"\s*\[+([^\[\]]+)\]+", line)
        if heading:
            section = heading[1].strip()
            continue
        option = re.match(r"\s*([^#=\s][^=]*?)\s*=\s*(.*?)\s*$", line)
        if option and section == "webroot_map":
            found["webroot_map"] = f"{found.get('webroot_map', '')}{_plain(option[2])},"
        elif option:
            found[option[1]] = _plain(option[2])
    return found


def _plain(value: str) -> str:
    quoted = re.fullmatch(r"([\"'])(.*)\1", value)
    plain = quoted[2] if quoted else value
    return "" if plain == "None" else plain


def configured(lineage: Lineage, found: Mapping[str, str]) -> Lineage:
    """A lineage with what the configuration of its renewal says. Pure."""
    webroots = f"{found.get('webroot_path', '')},{found.get('webroot_map', '')}".split(",")
    return replace(
        lineage,
        server=found.get("server", ""),
        authenticator=found.get("authenticator", ""),
        installer=found.get("installer", ""),
        webroots=frozenset(path.strip().strip("\"'").rstrip("/") for path in webroots if path.strip()),
        hook=found.get("renew_hook", ""),
    )


def by_webroot(text: str, webroot: str) -> str:
    """The configuration of a renewal whose names are proven by files in a directory, and that touches no server. Pure.

    Hooks stay, but for those by which certbot's own server had the port to itself.
    """
    before = options(text)
    drop = {"authenticator", "installer", "webroot_path"}
    if before.get("authenticator") == "standalone":
        drop.update(HALTING)
    kept, section = [], ""
    for line in text.splitlines():
        heading = re.match(r"\s*(\[+)([^\[\]]+)\]+", line)
        if heading:
            section = heading[2].strip()
        option = re.match(r"\s*([^#=\s][^=]*?)\s*=", line)
        if section == "webroot_map" or (option and not heading and option[1] in drop):
            continue
        kept.append(line)
        if heading and section == "renewalparams":
            kept += ["authenticator = webroot", f"webroot_path = {webroot},"]
    return "\n".join(kept) + "\n"


def without_installer(text: str) -> str:
    """The configuration of a renewal that touches no server. Pure."""
    return re.sub(r"(?m)^\s*installer\s*=.*\n", "", text)


def put_aside(name: str, directory: str = DIRECTORY) -> dict[str, str]:
    """Rename what is left of a lineage, since certbot gives a new one of its name another name as long as it is there.

    :returns: the paths, each with the one that it has now
    """
    moved = {}
    for path in (configuration(name, directory), live(name, directory), os.path.join(directory, "archive", name)):
        if os.path.lexists(path):
            number = 1
            while os.path.lexists(f"{path}{ASIDE}{number}"):
                number += 1
            os.rename(path, f"{path}{ASIDE}{number}")
            moved[path] = f"{path}{ASIDE}{number}"
    return moved
