# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What an app may say of TLS: the keys, and which go together. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import Schema, boolean, integer, one_of, shown, text
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _command

TLS: Schema = {
    "mode": (one_of("none", "self_signed", "certbot", "files"), "none"),
    "certificate": (text(), None),
    "key": (text(), None),
    "on_host": (boolean, False),
    "port": (integer(1, 65535), 443),
    "redirect": (boolean, True),
    "profile": (one_of("intermediate", "modern"), "intermediate"),
    "hsts": (integer(0, 315360000), 0),
}


def check(tls: Mapping[str, Any], domains: Sequence[str]) -> None:
    """Refuse keys that cannot go together.

    :raises InventoryError: the first mistake found; the message begins with the key
    """
    files = tls["mode"] == "files"
    for key in ("certificate", "key"):
        if files and tls[key] is None:
            raise InventoryError(f"tls.{key}: missing, and mode files has no default for it; add the path of a PEM file.")
        if files and tls["on_host"] and not re.fullmatch(r"(/[^/\0]+)+", tls[key]):
            raise InventoryError(
                f"tls.{key}: {shown(tls[key])} is not an absolute path, which on_host: true needs; write it in full."
            )
    for key in ("certificate", "key", "on_host"):
        if tls[key] and not files:
            raise InventoryError(f"tls.{key}: needs mode files, and mode is {tls['mode']}; remove it, or set that mode.")
    if tls["mode"] == "certbot" and not domains:
        raise InventoryError(
            "tls.mode: certbot needs domains to request a certificate for; add domains, or set mode: self_signed."
        )
    if tls["hsts"] and (tls["mode"] == "none" or not tls["redirect"] or tls["port"] != 443):
        raise InventoryError(
            f"tls.hsts: {tls['hsts']} needs TLS on port 443 with redirect enabled; remove hsts, or set tls.port: 443 and"
            " tls.redirect: true."
        )


def place(tls: Mapping[str, Any], base_directory: str | None = None) -> dict[str, Any]:
    """The key ``tls`` with absolute paths.

    :param base_directory: where a relative path on the controller begins; the current directory if not given
    """
    if tls["mode"] != "files" or tls["on_host"]:
        return dict(tls)
    base = base_directory or os.getcwd()
    paths = {key: os.path.abspath(os.path.join(base, os.path.expanduser(tls[key]))) for key in ("certificate", "key")}
    return {**tls, **paths}


def check_wildcards(app: App, options: Sequence[str]) -> None:
    """Refuse a name of an app's that certbot cannot get a certificate for. Pure.

    :raises InventoryError: there is one, or the options cannot be read
    """
    if app["tls"]["mode"] != "certbot":
        return
    try:
        found = _command.authenticator(options)
    except ValueError as error:
        raise InventoryError(f"certbot_options: they cannot be read: {error}; write each as in a shell.") from None
    wildcards = [domain for domain in app["domains"] if domain.startswith("*.")]
    if wildcards and found in _command.OVER_HTTP:
        raise InventoryError(
            f"app {app['name']}: tls.mode: certbot is set for the domain {wildcards[0]}, which a CA only certifies by way of DNS;"
            " give certbot_options such a way, or choose another mode."
        )
