# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Call certbot, and find the cause of a failure in its output and log."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _certificate, _sites

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
CONFIGURATION = "/etc/letsencrypt/cli.ini"
LOG = "/var/log/letsencrypt/letsencrypt.log"
"""The detailed log of the last run; that of the run before is renamed."""

BUSY = "Another instance of Certbot is already running"
PATIENCE = 900.0
"""Seconds to wait for another certbot: the one of the timer renews one certificate after the other."""
PAUSE = 3.0
"""Seconds between two attempts."""
ATTEMPTS = 5
"""How often certbot is run if a CA rejects nonces."""
TIMEOUT = 600.0
"""Seconds for one certificate; DNS plugins wait for the name servers."""

OWN_OPTIONS = frozenset(
    "-d --domain --domains --cert-name --server --csr --email -m --key-type --webroot-path -w --dry-run --test-cert"
    " --staging".split()
)
"""Options that the module sets itself, so that users must not."""

OVER_HTTP = ("webroot", "standalone", "nginx", "apache")
"""Authenticators that validate names over HTTP."""

BOILERPLATE = (
    "Saving debug log to",
    "Ask for help or search for solutions",
    "Plugins selected:",
    "Requesting a certificate for",
    "Renewing an existing certificate for",
    "Account registered.",
    "Some challenges have failed.",
    "Simulating",
)

PROBLEM = re.compile(
    r"^ *Domain: (\S+)\n *Type: *(\S+)\n *Detail: (.+(?:\n(?! *(?:Domain:|Hint:)|\n).+)*)",
    re.MULTILINE,
)
"""What certbot prints about a name that the CA could not validate."""

REFUSAL = re.compile(r"^acme\.messages\.Error: (urn:ietf:params:acme:error:(\w+)) :: (.+)$", re.MULTILINE)
"""What certbot logs if a CA refuses a request: the type of the error, then certbot's and the CA's text. Debian 12's certbot
prints only "AttributeError: can't set attribute"."""

LIMITED = re.compile(r"rateLimited|too many (?:certificates|failed|new orders|requests|currently)|retry after \d", re.IGNORECASE)
"""What a CA says when a rate limit is exceeded. Source: https://letsencrypt.org/docs/rate-limits/"""


@dataclass(frozen=True)
class CertbotSettings:
    """How to get certificates.

    :ivar server: the URL of the ACME server's directory
    :ivar webroot: the directory from which nginx answers challenges
    :ivar email: the address for the CA, None for none
    :ivar agree_tos: whether the user accepts the CA's terms of service
    :ivar options: further options of certbot, each may contain its value
    :ivar key_type: ``rsa`` or ``ecdsa``; None leaves it to certbot
    :ivar minimum_days: a certificate with fewer days left is replaced; None for a quarter of its lifetime, at most 20 days
    :ivar check_names: request a test file through each name before asking the CA
    :ivar bundle: a file with CA certificates to trust instead of the host's trust store
    :ivar directory: certbot's configuration directory
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
    directory: str = _certificate.LETSENCRYPT

    @property
    def authenticator(self) -> str:
        """How names are validated, see the function of this name."""
        return authenticator(self.options)


def arguments(options: Sequence[str]) -> list[str]:
    """Options as an argument vector; each may contain its value in the same string, in shell syntax. Pure.

    :raises ValueError: a quote is not closed
    """
    return [word for option in options for word in shlex.split(str(option))]


def refused(options: Sequence[str]) -> str:
    """The first of some options that the module sets itself, "" if there is none. Pure."""
    return next((word for word in arguments(options) if word.partition("=")[0] in OWN_OPTIONS), "")


def authenticator(options: Sequence[str]) -> str:
    """The certbot plugin that validates the names: ``webroot`` unless some options name another one. Pure."""
    found = arguments(options)
    for word, following in zip(found, [*found[1:], ""]):
        name, _equals, value = word.partition("=")
        if name in ("-a", "--authenticator", "--configurator"):
            return value or following
        if re.fullmatch(r"--(webroot|standalone|manual|nginx|apache|dns-[a-z0-9]+)", name):
            return name[2:]
    return "webroot"


def default_server(configuration: str) -> str:
    """The ACME server in certbot's configuration file, otherwise Let's Encrypt. Pure."""
    named = re.search(r"^\s*server\s*[=:]\s*(\S+)", configuration, re.MULTILINE)
    return named[1] if named else LETSENCRYPT


def configured_server() -> str:
    """The ACME server that certbot uses by default on this host."""
    return default_server(_files.text_of(CONFIGURATION))


def accounts(server: str, directory: str) -> str:
    """The directory of certbot's accounts at an ACME server. Pure."""
    parts = urlsplit(server)
    return os.path.join(directory, "accounts", f"{parts.netloc}{parts.path}".strip("/"))


def has_account(server: str, directory: str) -> bool:
    """Whether certbot has an account at an ACME server, which means that its terms were accepted."""
    path = accounts(server, directory)
    return os.path.isdir(path) and any(os.path.isdir(os.path.join(path, each)) for each in os.listdir(path))


def command(lineage: str, domains: Sequence[str], settings: CertbotSettings, hook: str = "") -> list[str]:
    """The certbot command that gets a new certificate, whether or not there is one already. Pure.

    :param lineage: certbot's name for it; without it certbot would choose a new name when the domains change
    :param hook: the deploy hook; certbot would forget it if it were not given again
    """
    argv = ["certbot", "certonly", "--non-interactive", "--cert-name", lineage, "--server", settings.server]
    # That a new certificate is needed has been decided. Certbot itself would keep a revoked one, or one from another server.
    argv += ["--force-renewal", "--renew-with-new-domains"]
    if settings.authenticator == "webroot":
        argv += ["--webroot", "--webroot-path", settings.webroot]
    if settings.agree_tos:
        contact = ["--email", settings.email] if settings.email else ["--register-unsafely-without-email"]
        argv += ["--agree-tos", "--no-eff-email", *contact]
    if settings.key_type:
        argv += ["--key-type", settings.key_type]
    if hook:
        argv += ["--deploy-hook", hook]
    argv += arguments(settings.options)
    for domain in domains:
        argv += ["--domain", domain]
    return argv


def call(argv: Sequence[str], environment: Mapping[str, str], patience: float = PATIENCE) -> Completed:
    """Run certbot, as soon as no other certbot runs.

    :param patience: seconds to wait for another certbot
    """
    deadline = time.monotonic() + patience
    while True:
        ended = run(argv, environment=environment, timeout=TIMEOUT)
        if not ended.code or BUSY not in ended.output or time.monotonic() > deadline:
            return ended
        time.sleep(PAUSE)


def obtain(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[Completed, str]:
    """Run certbot, again if the CA rejected a nonce: it may do so at any time (RFC 8555, 6.5), and certbot retries only once.

    :returns: the ended process, and what it logged
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        began = time.time()
        ended = call(argv, environment)
        log = logged(began) if ended.code else ""
        if not attempts_left or [kind for _urn, kind, _text in REFUSAL.findall(log)][-1:] != ["badNonce"]:
            break
    return ended, log


def logged(since: float) -> str:
    """What certbot logged in its last run, "" if that was before a time.

    :param since: seconds since the epoch
    """
    try:
        if os.path.getmtime(LOG) < since:
            return ""
        with open(LOG, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def delete(lineage: str) -> None:
    """Delete a certificate and its key from certbot.

    :raises StackError: certbot failed
    """
    ended = call(["certbot", "delete", "--non-interactive", "--cert-name", lineage], {})
    if ended.code:
        raise failure(ended)


def failure(ended: Completed, log: str = "") -> StackError:
    """Why certbot failed, in the CA's words if the CA refused. Pure.

    :param log: what certbot logged
    """
    refusals = [match[0] for match in REFUSAL.finditer(log)]
    printed = "\n".join([ended.output, *refusals[-1:]])
    return StackError("certificate", f"{cause(ended, log)}; {fix(printed)}.", printed)


def cause(ended: Completed, log: str = "") -> str:
    """The cause of a failure, from what certbot printed and logged. Pure."""
    problems = PROBLEM.findall(ended.output)
    if problems:
        details = "; ".join(f"{domain}: {_one_line(detail)} ({kind})" for domain, kind, detail in problems)
        return f"the CA could not validate {details}"
    refusals = REFUSAL.findall(log)
    if refusals and BUSY not in ended.output:
        _urn, kind, text = refusals[-1]
        return f"the CA says: {_one_line(text)} ({kind})"
    lines = [line.strip() for line in ended.output.splitlines()]
    relevant = [line for line in lines if line and not line.startswith(BOILERPLATE) and not re.fullmatch(r"[- ]+", line)]
    if "An unexpected error occurred:" in relevant:
        relevant = relevant[relevant.index("An unexpected error occurred:") + 1 :]
    return f"certbot says: {_one_line(' '.join(relevant)) or ended.last_line}"


def fix(output: str) -> str:
    """What to do about a failure. Pure.

    :param output: what certbot printed, and the last refusal that it logged
    """
    if LIMITED.search(output):
        return "wait until the rate limit is over and run again; the site keeps its current certificate until then"
    if BUSY in output:
        return "wait until it has ended, or end it, and run again"
    if "accountDoesNotExist" in output or "Account is not valid" in output:
        return "the server no longer knows certbot's account: remove it from /etc/letsencrypt/accounts and run again"
    return "fix that and run again; for details see /var/log/letsencrypt/letsencrypt.log"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".;")
