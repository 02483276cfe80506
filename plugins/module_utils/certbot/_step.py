# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``certificate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _command, _run
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._command import CertbotSettings
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step

CERTIFICATE = {
    "name": {"type": "str", "required": True},
    "domains": {"type": "list", "elements": "str", "required": True},
    "apps": {"type": "list", "elements": "str"},
}


def certificate(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Get the certificates that are missing or wrong.

    :param wanted: the module's parameters
    """
    settings = CertbotSettings(
        server=wanted["server"] or _command.configured_server(),
        webroot=wanted["webroot"].rstrip("/"),
        email=wanted["email"],
        agree_tos=wanted["agree_tos"],
        options=tuple(wanted["options"]),
        key_type=wanted["key_type"],
        minimum_days=wanted["minimum_days"],
        check_names=wanted["check_names"],
        bundle=wanted["ca_bundle"],
    )
    return asdict(_run.converge(wanted["apps"], wanted["certificates"], settings, check, wanted["only_apps"]))


STEP = Step(
    {
        "apps": {"type": "list", "elements": "dict"},
        "certificates": {"type": "list", "elements": "dict", "options": CERTIFICATE},
        "only_apps": {"type": "list", "elements": "str", "default": []},
        "server": {"type": "str"},
        "email": {"type": "str"},
        "agree_tos": {"type": "bool", "default": False},
        "options": {"type": "list", "elements": "str", "default": []},
        "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "no_log": False},
        "webroot": {"type": "path", "default": "/var/lib/wsgi/acme"},
        "minimum_days": {"type": "int"},
        "check_names": {"type": "bool", "default": True},
        "ca_bundle": {"type": "path"},
    },
    certificate,
    {"mutually_exclusive": [("apps", "certificates")], "required_one_of": [("apps", "certificates")]},
)
