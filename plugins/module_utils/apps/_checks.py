# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Values of one app that contradict each other, and what it names on the controller."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _dotenv, _tls
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import on_controller, shown

SOURCE_EXCLUDE = [".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", "venv", ".tox", ".nox", ".*_cache", "node_modules"]


def check(app: dict[str, Any]) -> None:
    """Refuse values of an app that contradict each other, and complete its source.

    :raises InventoryError: the first mistake found
    """
    _check_source(app["source"])
    _check_environment_file(app)
    _check_domains(app)
    _tls.check(app["tls"], app["domains"])


def _check_source(source: dict[str, Any]) -> None:
    kinds = [kind for kind in ("git", "directory", "package") if source[kind] is not None]
    if len(kinds) != 1:
        given = f"{' and '.join(kinds)} are given" if kinds else "nothing is given"
        raise InventoryError(f"source: {given}; use exactly one of git, directory and package.")
    source["kind"] = kinds[0]
    for key, kind in (("version", "git"), ("deploy_key", "git"), ("known_hosts", "git"), ("exclude", "directory")):
        if source[key] is not None and source["kind"] != kind:
            raise InventoryError(f"source.{key}: only source.{kind} has {key}, and this is source.{source['kind']}; remove it.")
    if source["kind"] == "git":
        source["version"] = source["version"] or "HEAD"
        if source["git"].startswith("-"):
            raise InventoryError(f"source.git: {shown(source['git'])} is invalid; use the URL or the path of a repository.")
    if source["kind"] == "directory" and source["exclude"] is None:
        source["exclude"] = list(SOURCE_EXCLUDE)


def _check_environment_file(app: dict[str, Any]) -> None:
    path = app["environment_file"]
    if path is None or on_controller(path):
        return
    if app["source"]["kind"] == "package":
        raise InventoryError(
            f"environment_file: {shown(path)} is a path inside the source, and source.package has no such files; put the file on"
            " the controller, and use its absolute path."
        )
    for static in app["static"]:
        if static["directory"] in (".", path) or path.startswith(f"{static['directory']}/"):
            raise InventoryError(
                f"environment_file: {shown(path)} is inside the static directory {static['directory']} that nginx"
                " serves to everybody; move one of the two."
            )


def controller_variables(app: dict[str, Any]) -> dict[str, str]:
    """The variables of an ``environment_file`` that is on the controller; none if there is no such file."""
    path = app["environment_file"]
    if path is None or not on_controller(path):
        return {}
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise InventoryError(f"environment_file: {path} is not a file here, on the controller; correct the path.")
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise InventoryError(
            f"environment_file: {path} cannot be read here, on the controller: {error.strerror}; fix that."
        ) from None
    if content.startswith(b"$ANSIBLE_VAULT;"):
        raise InventoryError(
            f"environment_file: {path} is encrypted by ansible-vault, which is not supported here; put its variables into"
            " environment, which can be encrypted."
        )
    try:
        return _dotenv.parse(content)
    except ValueError as error:
        raise InventoryError(f"environment_file: {path}, {error}; correct the file.") from None


def _check_domains(app: dict[str, Any]) -> None:
    canonical = app["canonical_domain"]
    if canonical is not None and canonical not in app["domains"]:
        raise InventoryError(
            f"canonical_domain: {canonical!r} is not one of domains ({', '.join(app['domains']) or 'none'}); add it there."
        )
    repeated = {domain for domain in app["domains"] if app["domains"].count(domain) > 1}
    if repeated:
        raise InventoryError(f"domains: {min(repeated)!r} is listed twice; remove one.")


def check_stack(app: dict[str, Any]) -> None:
    """Refuse the keys that only another stack has, and the server options that the collection sets.

    :raises InventoryError: the first mistake found
    """
    for key, stack in _registry.foreign_keys(app["stack"]):
        if app[key]:
            raise InventoryError(
                f"{key}: {shown(app[key])} needs the stack {stack}, and this app has {app['stack']}; remove {key}, or set"
                f" stack: {stack}."
            )
    for name in app["server_options"]:
        if name in _registry.server(app["stack"]).OWN_OPTIONS:
            raise InventoryError(f"server_options.{name}: the collection sets this option itself; remove it.")
