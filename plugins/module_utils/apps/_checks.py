# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Values of one app that contradict each other, and what it names on the controller."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _imported, _registry
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _dotenv, _tls, _workers
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import on_controller, shown

# Users and groups of Debian's base system (base-passwd's and systemd's), and those of the servers this collection stands on.
RESERVED_NAMES = frozenset(
    "_apt adm audio backup bin cdrom crontab daemon dialout dip disk fax floppy games gnats input irc kmem kvm list lp mail"
    " man messagebus mlocate news nginx nobody nogroup ntp operator plugdev postfix proxy render root sasl sgx shadow src"
    " ssh sshd staff sudo supervisor sync sys syslog systemd systemd-network systemd-resolve systemd-timesync tape tty"
    " users utmp uucp uwsgi video voice wheel www-data".split()
)

OWN_PREFIX = "wsgi-"
"""The names of our units begin with this, and so do those of their users where systemd makes them (DynamicUser=). It would take
an app's user of the same name instead."""

SOURCE_EXCLUDE = [".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", "venv", ".tox", ".nox", ".*_cache", "node_modules"]


def check_name(name: str) -> None:
    """Make sure that an app's user belongs to the app alone.

    :raises InventoryError: it would be
    """
    if name in RESERVED_NAMES:
        raise InventoryError(
            f"name: {name} is a user or group of the system, and an app gets a user of its own; choose another name."
        )
    if name.startswith(OWN_PREFIX):
        raise InventoryError(f"name: {name} begins like the users of wsgi.stack's own units; choose another name.")


def check(app: dict[str, Any]) -> None:
    """Refuse values of an app that contradict each other, and complete its source.

    :raises InventoryError: the first mistake found
    """
    _check_source(app["source"])
    _check_static(app)
    for key, fix in (("extras", "write them into source.package, as in shop[redis]==1.4"), ("groups", "remove groups")):
        if app[key] and app["source"]["kind"] == "package":
            raise InventoryError(f"{key}: only a project in the source has {key}, and this is source.package; {fix}.")
    _check_environment_file(app)
    _workers.check(app)
    _check_shared(app)
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
    _check_secret(app, "environment_file", path)


def _check_secret(app: dict[str, Any], key: str, path: str) -> None:
    """Refuse a path inside the source whose file nginx would serve, or that would not be in the source."""
    for static in app["static"]:
        if static["directory"] and _inside(path, static["directory"]):
            raise InventoryError(
                f"{key}: {shown(path)} is inside the static directory {static['directory']} that nginx"
                " serves to everybody; move one of the two."
            )
    for shared in app["shared_paths"]:
        if _inside(path, shared):
            raise InventoryError(
                f"{key}: {shown(path)} is inside {shared}, one of shared_paths, which is no part of the build; move one of them."
            )


def _check_static(app: dict[str, Any]) -> None:
    for static in app["static"]:
        if (static["directory"] is None) == (static["shared"] is None):
            given = "neither of the two" if static["shared"] is None else "both"
            raise InventoryError(f"static: {static['url']} has {given}; use exactly one of directory and shared.")
        if static["shared"] == ".":
            raise InventoryError(f"static.shared: {static['url']} would serve all data of the app; name a directory in it.")
        if static["internal"] and static["url"] == "/":
            raise InventoryError("static.internal: true hides files, and / is for a page that everybody sees; use another url.")
        if static["immutable"] and static["max_age"] is None:
            raise InventoryError("static.immutable: true needs a max_age, such as 365d; add it, or remove immutable.")
    urls = [static["url"] for static in app["static"]]
    if "/" in urls and app["mount"] == "/":
        raise InventoryError(
            "static.url: / is the root of the domain, where the app itself is; set mount to the URL prefix of the app,"
            " such as /api, or choose another url."
        )
    if "/" in urls and f"{app['mount']}/" in urls:
        raise InventoryError(f"static.url: {app['mount']}/ is the app's own (mount); choose another url.")


def _check_shared(app: dict[str, Any]) -> None:
    paths = app["shared_paths"]
    for place, path in enumerate(paths):
        if path == ".":
            raise InventoryError("shared_paths: '.' is the whole source; name directories in it.")
        other = next((other for other in paths[:place] if _inside(path, other) or _inside(other, path)), None)
        if other:
            raise InventoryError(f"shared_paths: {shown(path)} and {shown(other)} are one inside the other; remove one.")
        if _inside(app["working_directory"], path):
            raise InventoryError(f"shared_paths: {shown(path)} has the working_directory in it, which is code; remove it.")
        for served in [static["directory"] for static in app["static"] if static["directory"]]:
            if _inside(served, path) or _inside(path, served):
                raise InventoryError(
                    f"shared_paths: {shown(path)} and the static directory {served} are one inside the other; serve what is"
                    " shared from a url of its own, with static.shared."
                )
    for path in app["files"]:
        _check_secret(app, "files", path)


def _inside(path: str, directory: str) -> bool:
    return directory in (".", path) or path.startswith(f"{directory}/")


def packages(app: dict[str, Any]) -> list[str]:
    """The Debian packages that an app's data takes."""
    return ["acl"] if any(static["shared"] for static in app["static"]) else []


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
    server = _registry.server(app["stack"])
    for name in app["server_options"]:
        if name in server.BINDING_OPTIONS:
            raise InventoryError(
                f"server_options.{name}: it opens a socket, and a new release starts beside the running one, which has that"
                " socket already; remove it."
            )
        if name in server.INCLUDING_OPTIONS:
            raise InventoryError(
                f"server_options.{name}: the options in a file cannot be checked before a release starts; write them into"
                " server_options."
            )
        if name in server.OWN_OPTIONS:
            fix = server.INSTEAD.get(name, "remove it.")
            raise InventoryError(f"server_options.{name}: the collection sets this option itself; {fix}")
    refusal = server.refusal(app, _imported.presumed(app))
    if refusal:
        raise InventoryError(f"interface: {app['interface']} says that the entry point {refusal}.")
