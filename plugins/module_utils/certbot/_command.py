# SPDX-License-Identifier: GPL-3.0-or-later
"""Certbot: how it is called, and what its words mean."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
CONFIGURATION = "/etc/letsencrypt/cli.ini"
LOG = "/var/log/letsencrypt/letsencrypt.log"
"""What the last certbot did in detail; that of the one before it has another name by then."""

BUSY = "Another instance of Certbot is already running"
PATIENCE = 900.0
"""Seconds that another certbot may take: the timer's renews one certificate after the other."""
PAUSE = 3.0
"""Seconds between two tries."""
ATTEMPTS = 5
"""How often a certificate is asked for, if a CA refuses nonces."""
TIMEOUT = 600.0
"""Seconds that one certificate may take; a way by DNS waits for the name servers."""

OWN_OPTIONS = frozenset(
    "-d --domain --domains --cert-name --server --csr --email -m --key-type --webroot-path -w --dry-run --test-cert"
    " --staging".split()
)
"""Options that follow from the module's, and are not among further ones."""

OVER_HTTP = ("webroot", "standalone", "nginx", "apache")
"""Ways by which a name is proven over HTTP."""

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
"""What certbot prints of a name that the CA could not verify."""

REFUSAL = re.compile(r"^acme\.messages\.Error: (urn:ietf:params:acme:error:(\w+)) :: (.+)$", re.MULTILINE)
"""What certbot logs of a CA's refusal: its kind, and certbot's words for it with the CA's. Debian 12's certbot on Python 3.11
only prints "AttributeError: can't set attribute"."""

LIMITED = re.compile(r"rateLimited|too many (?:certificates|failed|new orders|requests|currently)|retry after \d", re.IGNORECASE)
"""What a CA says that takes no more requests for a while. Source: https://letsencrypt.org/docs/rate-limits/"""


def words(options: Sequence[str]) -> list[str]:
    """Options as an argument vector: each may have its value in the same text. Pure."""
    return [word for option in options for word in shlex.split(str(option))]


def refused(options: Sequence[str]) -> str:
    """The first option that is the module's own, "" if there is none. Pure."""
    return next((word for word in words(options) if word.partition("=")[0] in OWN_OPTIONS), "")


def way(options: Sequence[str]) -> str:
    """How the names are proven to a CA, as certbot calls it: ``webroot`` unless the options name another way. Pure."""
    found = words(options)
    for word, following in zip(found, [*found[1:], ""]):
        name, _equals, value = word.partition("=")
        if name in ("-a", "--authenticator", "--configurator"):
            return value or following
        if re.fullmatch(r"--(webroot|standalone|manual|nginx|apache|dns-[a-z0-9]+)", name):
            return name[2:]
    return "webroot"


def default_server(configuration: str) -> str:
    """The ACME server that certbot takes if none is named: that of its configuration file, or Let's Encrypt. Pure."""
    named = re.search(r"^\s*server\s*[=:]\s*(\S+)", configuration, re.MULTILINE)
    return named[1] if named else LETSENCRYPT


def configured_server() -> str:
    """The ACME server that certbot takes on this host if none is named."""
    return default_server(_files.text_of(CONFIGURATION))


def accounts(server: str, directory: str) -> str:
    """Where certbot keeps its accounts at an ACME server. Pure."""
    parts = urlsplit(server)
    return os.path.join(directory, "accounts", f"{parts.netloc}{parts.path}".strip("/"))


def has_account(server: str, directory: str) -> bool:
    """Whether there is an account at an ACME server, so that its terms have been agreed to."""
    path = accounts(server, directory)
    return os.path.isdir(path) and any(os.path.isdir(os.path.join(path, each)) for each in os.listdir(path))


def command(
    lineage: str,
    domains: Sequence[str],
    server: str,
    options: Sequence[str] = (),
    webroot: str = "",
    key_type: str | None = None,
    email: str | None = None,
    agree_tos: bool = False,
    hook: str = "",
) -> list[str]:
    """The command that gets a certificate, whatever there is already. Pure.

    :param lineage: its name; without one, certbot would choose another name for another set of names
    :param hook: what is run after its renewal, which certbot would forget if it were not named again
    """
    argv = ["certbot", "certonly", "--non-interactive", "--cert-name", lineage, "--server", server]
    # It has been decided that one is wanted. Certbot would leave one be that is from another server, or was revoked.
    argv += ["--force-renewal", "--renew-with-new-domains"]
    if way(options) == "webroot":
        argv += ["--webroot", "--webroot-path", webroot]
    if agree_tos:
        argv += ["--agree-tos", "--no-eff-email", *(["--email", email] if email else ["--register-unsafely-without-email"])]
    if key_type:
        argv += ["--key-type", key_type]
    if hook:
        argv += ["--deploy-hook", hook]
    argv += words(options)
    for domain in domains:
        argv += ["--domain", domain]
    return argv


def call(argv: Sequence[str], environment: Mapping[str, str], patience: float = PATIENCE) -> Completed:
    """Run certbot, as soon as no other one runs."""
    deadline = time.monotonic() + patience
    while True:
        ended = run(argv, environment=environment, timeout=TIMEOUT)
        if not ended.code or BUSY not in ended.output or time.monotonic() > deadline:
            return ended
        time.sleep(PAUSE)


def obtain(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[Completed, str]:
    """Run certbot, and again where a CA wants that: it may refuse any nonce (RFC 8555, 6.5), and certbot gives up at the second.

    :returns: how it ended, and what it has logged
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        began = time.time()
        ended = call(argv, environment)
        log = logged(began) if ended.code else ""
        if not attempts_left or [kind for _urn, kind, _said in REFUSAL.findall(log)][-1:] != ["badNonce"]:
            break
    return ended, log


def logged(since: float) -> str:
    """What certbot has logged of its last run, "" if that began before a time.

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
    """Have certbot forget a certificate, with its key.

    :raises StackError: it does not
    """
    ended = call(["certbot", "delete", "--non-interactive", "--cert-name", lineage], {})
    if ended.code:
        raise failure(ended)


def failure(ended: Completed, log: str = "") -> StackError:
    """Why certbot got no certificate, in the CA's words where it is the CA's doing. Pure.

    :param log: what it has logged
    """
    refusals = [match[0] for match in REFUSAL.finditer(log)]
    printed = "\n".join([ended.output, *refusals[-1:]])
    return StackError("certificate", f"{cause(ended, log)}; {fix(printed)}.", printed)


def cause(ended: Completed, log: str = "") -> str:
    """What went wrong, out of all that certbot printed and logged. Pure."""
    problems = PROBLEM.findall(ended.output)
    if problems:
        said = "; ".join(f"{domain}: {_one_line(detail)} ({kind})" for domain, kind, detail in problems)
        return f"the CA did not find the answer to its challenge: {said}"
    refusals = REFUSAL.findall(log)
    if refusals and BUSY not in ended.output:
        _urn, kind, said = refusals[-1]
        return f"the CA says: {_one_line(said)} ({kind})"
    lines = [line.strip() for line in ended.output.splitlines()]
    told = [line for line in lines if line and not line.startswith(BOILERPLATE) and not re.fullmatch(r"[- ]+", line)]
    if "An unexpected error occurred:" in told:
        told = told[told.index("An unexpected error occurred:") + 1 :]
    return f"certbot says: {_one_line(' '.join(told)) or ended.last_line}"


def fix(output: str) -> str:
    """What to do about it. Pure."""
    if LIMITED.search(output):
        return "wait until the limit is over and run again; what it serves meanwhile stays"
    if BUSY in output:
        return "see what it does, end it, and run again"
    if "accountDoesNotExist" in output or "Account is not valid" in output:
        return "the server has forgotten certbot's account: remove that from /etc/letsencrypt/accounts, and run again"
    return "fix that and run again; more is in /var/log/letsencrypt/letsencrypt.log"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".;")
