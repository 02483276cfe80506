# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""certbot's lineages: a certificate and the configuration of its renewal. The only reader of certbot's renewal files."""

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

# -text is for the type of the key alone; the extensions are those that -ext names.
SHOWN = (
    *("-serial", "-startdate", "-enddate", "-subject", "-issuer", "-ext", "subjectAltName,authorityKeyIdentifier"),
    *("-text", "-certopt", "no_extensions,no_sigdump"),
)
KEY_TYPES = {"rsaEncryption": "rsa", "id-ecPublicKey": "ecdsa"}

ASIDE = ".unusable-"
"""The suffix of what was renamed, with a number after it."""

HALTING = ("pre_hook", "post_hook")
"""Hooks that stop and start nginx for the authenticator ``standalone``."""


@dataclass(frozen=True)
class Lineage:
    """A certificate of certbot.

    :ivar name: its name, as in ``--cert-name``
    :ivar names: the names that it is valid for
    :ivar begins: when it becomes valid, in seconds since the epoch; ``ends``: when it expires
    :ivar key_type: ``rsa`` or ``ecdsa``, otherwise openssl's name
    :ivar serial: its serial number, hexadecimal
    :ivar authority: its authority key identifier, hexadecimal, "" if it has none
    :ivar server: the URL of the ACME server that issued it
    :ivar authenticator: the plugin that validates its names at a renewal
    :ivar installer: the plugin that changes a web server's configuration at a renewal, "" for none
    :ivar webroots: the directories for challenges
    :ivar hook: its deploy hook, run after a renewal; "" for none
    :ivar post_hook: the command after an attempt to renew it, "" for none
    :ivar cause: why it cannot be used, "" if it can
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
    post_hook: str = ""
    cause: str = ""


def live(name: str, directory: str = DIRECTORY) -> str:
    """The directory with ``fullchain.pem`` and ``privkey.pem`` of a lineage."""
    return os.path.join(directory, "live", name)


def configuration(name: str, directory: str = DIRECTORY) -> str:
    """certbot's renewal file of a lineage."""
    return os.path.join(directory, "renewal", f"{name}.conf")


def read(directory: str = DIRECTORY) -> dict[str, Lineage]:
    """All lineages by name, including incomplete ones."""
    found: set[str] = set()
    for below, suffix in (("live", ""), ("archive", ""), ("renewal", ".conf")):
        path = os.path.join(directory, below)
        entries = os.listdir(path) if os.path.isdir(path) else []
        names = [entry[: len(entry) - len(suffix)] for entry in entries if entry.endswith(suffix) and entry != "README"]
        found.update(name for name in names if ASIDE not in name)
    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        return {each.name: each for each in pool.map(lambda name: read_one(name, directory), sorted(found))}


def read_one(name: str, directory: str = DIRECTORY) -> Lineage:
    """One lineage, complete or not."""
    renewal = configuration(name, directory)
    if not os.path.exists(renewal):
        return Lineage(name, cause=f"{renewal} is missing")
    lineage = Lineage(name)
    try:
        with open(renewal, encoding="utf-8", errors="replace") as stream:
            lineage = configured(lineage, options(stream.read()))
    except OSError as error:
        return replace(lineage, cause=f"{renewal} cannot be read: {error.strerror}")
    certificate = os.path.join(live(name, directory), "cert.pem")
    whole = _certificate.read(certificate, os.path.join(live(name, directory), "privkey.pem"))
    if whole.cause or whole.wrong_key:
        return replace(lineage, cause=whole.cause or f"the key {whole.key} belongs to another certificate")
    return parse(lineage, run(["openssl", "x509", "-in", certificate, "-noout", *SHOWN], timeout=TIMEOUT).output)


def reloads(text: str) -> bool:
    """Whether a renewal file makes something load the new certificate: a hook, or the installer ``nginx``. Pure."""
    found = configured(Lineage(""), options(text))
    return found.installer == "nginx" or bool((found.hook or found.post_hook).strip())


def ordered(name: str, webroot: str, directory: str = DIRECTORY) -> bool:
    """Whether a lineage was created by this collection: challenges are written to the webroot that only it uses."""
    found = configured(Lineage(name), options(_files.text_of(configuration(name, directory))))
    return found.authenticator == "webroot" and found.webroots == {webroot}


def parse(lineage: Lineage, shown: str) -> Lineage:
    """Add the output of ``openssl x509`` with the options ``SHOWN`` to a lineage. Pure."""
    certificate = _certificate.parse(lineage.name, shown)
    algorithm = re.search(r"Public Key Algorithm: (\S+)", shown)
    serial = re.search(r"^serial=([0-9A-F]+)$", shown, re.MULTILINE)
    # OpenSSL 1.1 writes `keyid:` first, and other properties of the issuer on the next lines.
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
    """The options in a renewal file; the entries of ``[[webroot_map]]`` are one option with that name. Pure.

    The format is configobj's: nested sections have more brackets, lists have commas.
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
    """Add the options of its renewal file to a lineage. Pure."""
    webroots = f"{found.get('webroot_path', '')},{found.get('webroot_map', '')}".split(",")
    return replace(
        lineage,
        server=found.get("server", ""),
        authenticator=found.get("authenticator", ""),
        installer=found.get("installer", ""),
        webroots=frozenset(path.strip().strip("\"'").rstrip("/") for path in webroots if path.strip()),
        hook=found.get("renew_hook", ""),
        post_hook=found.get("post_hook", ""),
    )


def by_webroot(text: str, webroot: str) -> str:
    """A renewal file changed to the authenticator ``webroot`` and no installer. Pure.

    Hooks are kept, except those that free the port for ``standalone``.
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
    """A renewal file without an installer. Pure."""
    return re.sub(r"(?m)^\s*installer\s*=.*\n", "", text)


def put_aside(name: str, directory: str = DIRECTORY) -> dict[str, str]:
    """Rename the files of an incomplete lineage: as long as they exist, certbot does not create a new one with its name.

    :returns: the new path of each path
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
