# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Get a certificate by certbot, or change how one is renewed; and check first whether a CA could issue it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _acme, _challenge, _command, _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._plan import CertificateStep, WantedCertificate
from ansible_collections.wsgi.stack.plugins.module_utils.host import _environment
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, write


def trust(settings: CertbotSettings) -> ssl.SSLContext:
    """The CA certificates to trust when connecting to the ACME server.

    :raises StackError: the file with them cannot be read
    """
    try:
        return _acme.context(settings.bundle, _command.arguments(settings.options))
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise StackError("certificate", f"{settings.bundle} cannot be read as CA certificates ({cause}).") from None


def unreachable_names(
    certificates: Iterable[WantedCertificate], settings: CertbotSettings
) -> dict[WantedCertificate, StackError]:
    """The certificates that a CA would refuse because of a name, if names are validated by files in nginx's webroot."""
    failed: dict[WantedCertificate, StackError] = {}
    todo = []
    for wanted in certificates:
        wildcard = next((name for name in wanted.domains if name.startswith("*.")), None)
        if wildcard:
            cause = f"{wildcard}: a CA validates wildcard names only by DNS; add a DNS plugin to options, or list the hosts."
            failed[wanted] = StackError("certificate", cause)
        else:
            todo.append(wanted)
    if not settings.check_names or not todo:
        _challenge.prepare(settings.webroot)
        return failed
    with _challenge.offered(settings.webroot) as (path, content):
        visits = _challenge.visits((name for wanted in todo for name in wanted.domains), path, content)
    for wanted in todo:
        cause = _challenge.cause({name: visits[name] for name in wanted.domains}, settings.webroot)
        if cause:
            failed[wanted] = StackError("certificate", cause)
    return failed


def refusal(settings: CertbotSettings) -> StackError | None:
    """Why no certificate at all can be issued: the ACME server is not available, or its terms have not been accepted."""
    try:
        found = _acme.directory(settings.server, trust(settings))
    except StackError as failure:
        return failure
    if settings.agree_tos or _command.has_account(settings.server, settings.directory):
        return None
    meta = found.get("meta")
    terms = meta.get("termsOfService") if isinstance(meta, dict) else None
    return StackError(
        "certificate",
        f"certbot has no account at {settings.server} yet, and registering means accepting its terms of service"
        f"{f' ({terms})' if terms else ''}; read them and set agree_tos (certbot_agree_tos) to true.",
    )


def issue(wanted: WantedCertificate, step: CertificateStep, lineage: Lineage | None, settings: CertbotSettings) -> None:
    """Get a new certificate from the CA.

    :param lineage: what there is under its name
    :raises StackError: there is no new one; what was there before is kept
    """
    aside = _lineage.put_aside(step.lineage, settings.directory) if lineage and lineage.cause else {}
    argv = _command.command(step.lineage, wanted.domains, settings, lineage.hook if lineage else "")
    bundle = {"REQUESTS_CA_BUNDLE": settings.bundle} if settings.bundle else {}
    ended, log = _command.obtain(argv, {**_environment.inherited("REQUESTS_CA_BUNDLE"), **bundle})
    failure = _command.failure(ended, log) if ended.code else None
    found = _lineage.read_one(step.lineage, settings.directory)
    if not failure and (found.cause or found.names != set(wanted.domains)):
        cause = found.cause or f"it is valid for {', '.join(sorted(found.names))}"
        failure = StackError("certificate", f"certbot succeeded, but the certificate cannot be used: {cause}.", ended.output)
    if failure:
        _restore(aside)
        raise failure


def _restore(aside: Mapping[str, str]) -> None:
    for path, now in aside.items():
        if not os.path.lexists(path):
            os.rename(now, path)


def configure(step: CertificateStep, settings: CertbotSettings) -> None:
    """Change certbot's configuration so that a certificate is renewed as new ones are."""
    path = _lineage.configuration(step.lineage, settings.directory)
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    webroot = settings.authenticator == "webroot"
    content = _lineage.by_webroot(text, settings.webroot) if webroot else _lineage.without_installer(text)
    found = os.stat(path)
    write(path, File(content, found.st_mode & 0o777, str(found.st_uid), str(found.st_gid)))
