# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""From what a user writes to what the roles and modules take: defaults merged, mistakes refused.

Pure but for one look at the controller's disk: a source directory has to be there.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils._layout import (
    DIRECTORY,
    RUNTIME_DIRECTORY,
    SLOTS,
    SOCKET_PATH_BYTES,
    Layout,
)
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry, _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import INTERFACES
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _checks, _tls, _workers
from ansible_collections.wsgi.stack.plugins.module_utils.apps._conflicts import check_conflicts
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import (
    CONTROL,
    REQUIRED,
    SECRETS,
    Schema,
    boolean,
    checked_key,
    command,
    dictionary,
    directives,
    domain,
    entry_point,
    files,
    fill,
    given,
    integer,
    kind,
    lines,
    list_of,
    one_of,
    options,
    path_inside,
    path_of_either,
    path_on_host,
    private_key,
    quantity,
    shown,
    text,
    variables,
)

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
SEGMENT = r"/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+"  # nginx and browsers take '/./' and '/../' out of a URL
MOUNT = re.compile(rf"/|({SEGMENT})+")
STATIC_URL = re.compile(rf"/|({SEGMENT})+/")
PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
BIND = re.compile(rf"(127\.0\.0\.1|\[::1\]):{PORT}")
SIZE = re.compile(r"[0-9]{1,9}[kKmMgG]?")
MAX_AGE = re.compile(r"[0-9]{1,9}s?|[0-9]{1,5}[mhd]|[0-9]{1,4}w|[0-9]{1,2}y")
OPTIONAL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
PYTHON = re.compile(r"[^/\s~-][^/\s]*|/.*[^/\s]")
PACKAGE = re.compile(r"[a-z0-9]([a-z0-9.+:=~-]*[a-z0-9.+~])?")  # a hyphen at the end has apt remove the package

SOURCE: Schema = {
    "git": (text(), None),
    "version": (text(re.compile(r"[^\s~^:?*\[\\-][^\s~^:?*\[\\]*"), "a branch, a tag or a commit"), None),
    "deploy_key": (private_key, None),
    "known_hosts": (lines, None),
    "directory": (text(), None),
    "exclude": (list_of(text()), None),
    "package": (text(), None),
}

STATIC: Schema = {
    "url": (text(STATIC_URL, "a path that begins and ends with a slash, such as /static/"), REQUIRED),
    "directory": (path_inside, None),
    "shared": (path_inside, None),
    "internal": (boolean, False),
    "max_age": (quantity(MAX_AGE, "a time as nginx writes it: a number and s, m, h, d, w or y, such as 365d"), None),
    "immutable": (boolean, False),
}

HEALTH_CHECK: Schema = {
    "path": (text(re.compile(r"/[\x21-\x7e]*"), "a path below the mount that begins with a slash"), "/"),
    "status": (list_of(integer(100, 599)), [200]),
    "timeout": (integer(1, 3600), 30),
}

STATES = ("present", "absent")

# Every key of an app: how it is checked, and its default.
APP: Schema = {
    "name": (text(NAME, "1 to 31 lower-case letters, digits and hyphens, a letter first"), REQUIRED),
    "stack": (one_of(*_registry.STACKS), None),
    "state": (one_of(*STATES), "present"),
    "source": (dictionary(SOURCE), None),
    "entry_point": (entry_point, None),
    "interface": (one_of(*INTERFACES), None),
    "python": (text(PYTHON, "the name of an interpreter, such as python3.12, or its absolute path"), "python3"),
    "uwsgi_install_from": (one_of(*_uwsgi.ORIGINS), None),
    "working_directory": (path_inside, "."),
    "requirements": (list_of(path_inside), None),
    "extras": (list_of(text(OPTIONAL, "the name of an extra")), []),
    "groups": (list_of(text(OPTIONAL, "the name of a dependency group")), []),
    "packages": (list_of(text()), []),
    "system_packages": (list_of(text(PACKAGE, "a Debian package's name")), []),
    "build_environment": (variables, {}),
    "environment": (variables, {}),
    "environment_file": (path_of_either, None),
    "files": (files, {}),
    "shared_paths": (list_of(path_inside), []),
    "build_commands": (list_of(command), []),
    "release_commands": (list_of(command), []),
    "workers": (_workers.workers, {}),
    "timers": (_workers.timers, {}),
    "processes": (integer(1, 1024), None),
    "threads": (integer(1, 1024), 2),
    "gevent": (integer(0, 100000), 0),
    "idle": (integer(1, 604800), None),
    "bind": (text(BIND, "127.0.0.1 or [::1], a colon and a port, such as 127.0.0.1:8004"), None),
    "server_options": (options, {}),
    "writable_paths": (list_of(path_on_host), []),
    "privileged_programs": (boolean, False),
    "domains": (list_of(domain("a domain name in lower case, such as shop.example.com")), []),
    "canonical_domain": (domain("one of the app's domains"), None),
    "mount": (text(MOUNT, "/ or a URL prefix that begins with a slash and does not end with one, such as /shop"), "/"),
    "static": (list_of(dictionary(STATIC)), []),
    "client_max_body_size": (quantity(SIZE, "a size as nginx writes it, such as 10m"), "10m"),
    "request_timeout": (integer(1, 86400), 60),
    "nginx_directives": (directives, []),
    "tls": (dictionary(_tls.TLS), {}),
    "health_check": (dictionary(HEALTH_CHECK), {}),
    "preview_port": (integer(1, 65535), None),
    "drain_timeout": (integer(1, 3600), 30),
    "keep_releases": (integer(1, 1000), 5),
}

PRESENT: Schema = {**APP, **{key: (APP[key][0], REQUIRED) for key in ("source", "entry_point")}}
"""The keys of an app that shall be there. Of one that shall not, nothing but the name is needed."""

DEFAULTS = {"stack": "uwsgi", "uwsgi_install_from": "distribution"}
"""What an app that says nothing of it gets, unless the inventory says something for all of them."""


def resolve(
    apps: Any,
    stack: str = DEFAULTS["stack"],
    directory: str = DIRECTORY,
    runtime_directory: str = RUNTIME_DIRECTORY,
    base_directory: str | None = None,
    uwsgi_install_from: str = DEFAULTS["uwsgi_install_from"],
    http_ports: Sequence[int] = (),
    certbot_options: Sequence[str] | None = None,
) -> list[App]:
    """Check a list of apps as users write it, and complete it.

    :param apps: the list; its keys are described in the argument specification of the role ``app``
    :param stack: the stack of the apps that name none
    :param directory: the root of builds and releases on the hosts, an absolute path
    :param runtime_directory: the root of the sockets on the hosts, an absolute path
    :param base_directory: where a relative ``source.directory`` begins; the current directory if not given
    :param uwsgi_install_from: where the uWSGI of the apps comes from that say nothing of it
    :param http_ports: nginx's ports for HTTP, which no app can have for anything else
    :param certbot_options: certbot's further options, for a name that needs some; None if they are not known
    :returns: one dictionary an app that shall be there (see ``absent``), every key there, without what may be secret (see
        ``secrets``), and with ``user``, ``group``, ``directory``, ``runtime_directory``, ``current``, ``previous``,
        ``live_socket``, ``protocol``, ``upstream`` (nginx's), ``preview``, ``preview_socket``, ``stop_timeout``, and
        ``first_host`` and ``selected``, which are true, in addition; ``source.kind`` names the kind of source, ``static`` has
        absolute URLs and paths, ``health_check.path`` the mount in it
    :raises InventoryError: the first mistake found
    """
    resolved: list[App] = []
    for app in _present(apps, {"stack": stack, "uwsgi_install_from": uwsgi_install_from}):
        layout = Layout(app["name"], directory, runtime_directory)
        _check_socket_path(layout)
        resolved.append(_placed(app, layout, base_directory))
        if certbot_options is not None:
            _tls.check_wildcards(resolved[-1], certbot_options)
    check_conflicts(resolved, http_ports)
    return resolved


def secrets(apps: Any) -> str:
    """What may be secret in a list of apps, as one opaque text.

    A module that took these values as parameters would either print them, or (with ``no_log``) have each of them, be it ``1``
    or ``true``, blanked in all that it prints. As one text they are blanked as one.

    :returns: base64 of JSON: {app: {"environment": {}, "build_environment": {}, "deploy_key": null, "files": {}}}; of the files,
        those that are no templates
    """
    content = {
        app["name"]: {
            "environment": app["environment"],
            "build_environment": app["build_environment"],
            "deploy_key": app["source"]["deploy_key"],
            "files": {path: file["content"] for path, file in app["files"].items() if file["src"] is None},
        }
        for app in _present(apps, {})
    }
    return pack_secrets(content)


def pack_secrets(content: Mapping[str, Mapping[str, Any]]) -> str:
    """The text that ``read_secrets`` reads."""
    return base64.b64encode(json.dumps(content).encode()).decode()


def absent(apps: Any) -> list[str]:
    """The names of the apps that shall not be there any more.

    :param apps: a list that ``resolve`` accepts
    :raises InventoryError: the first mistake in one of those apps
    """
    return [app["name"] for app in _complete([app for app in apps if app.get("state") == "absent"], {})]


def read_secrets(text: str) -> dict[str, dict[str, Any]]:
    """The reverse of ``secrets`` and ``pack_secrets``.

    :raises InventoryError: the text is not one of theirs
    """
    try:
        found: dict[str, dict[str, Any]] = json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        raise InventoryError("secrets: not what the filter wsgi.stack.app_secrets returns; give its result.") from None
    return found


def _present(apps: Any, defaults: dict[str, Any]) -> list[dict[str, Any]]:
    return [app for app in _complete(apps, defaults) if app["state"] == "present"]


def _complete(apps: Any, defaults: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(apps, (list, tuple)):
        raise InventoryError(f"wsgi_apps: {kind(apps)} is not a list of apps; begin each with '- name:'.")
    completed: list[dict[str, Any]] = []
    for position, found in enumerate(given(apps), 1):
        name = found.get("name") if isinstance(found, dict) else None
        who = (
            f"app {shown(name) if CONTROL.search(name) else name}"
            if isinstance(name, str)
            else f"the app at place {position} of wsgi_apps"
        )
        if not isinstance(found, dict):
            raise InventoryError(f"{who}: {kind(found)} is not a dictionary; use one with name, source and entry_point.")
        try:
            app = fill(found, APP if found.get("state") == "absent" else PRESENT)
            for key, value in {**DEFAULTS, **defaults}.items():
                app[key] = app[key] or checked_key(key, APP[key][0], value)
            if app["state"] == "present":
                _checks.check(app)
                app["environment"] = {**_checks.controller_variables(app), **app["environment"]}
                if "stack" in defaults:  # otherwise it is not known here which one the apps have that name none
                    _checks.check_stack(app)
            _checks.check_name(app["name"])
        except InventoryError as error:
            raise InventoryError(f"{who}: {error}") from None
        if any(earlier["name"] == app["name"] for earlier in completed):
            raise InventoryError(f"{who}: name: two apps have this name; rename one of them.")
        completed.append(app)
    return completed


def _check_socket_path(layout: Layout) -> None:
    longest = max((layout.socket(slot) for slot in SLOTS), key=len)
    if len(os.fsencode(longest)) > SOCKET_PATH_BYTES:
        raise InventoryError(
            f"app {layout.name}: wsgi_runtime_directory: the socket path {longest} has {len(os.fsencode(longest))} bytes,"
            f" and at most {SOCKET_PATH_BYTES} are possible; shorten wsgi_runtime_directory or the app's name."
        )


def _template(app: dict[str, Any], path: str, src: str | None, base_directory: str | None) -> str | None:
    """The path of a template on the controller; None if the file is none."""
    if src is None:
        return None
    found = os.path.abspath(os.path.join(base_directory or os.getcwd(), os.path.expanduser(src)))
    if not os.path.isfile(found) or not os.access(found, os.R_OK):
        raise InventoryError(
            f"app {app['name']}: files.{path}.src: {found} is not a file that can be read here, on the controller;"
            " correct the path."
        )
    return found


def _placed(app: dict[str, Any], layout: Layout, base_directory: str | None) -> App:
    """A complete app with its places on the host, and without its secrets."""
    source = {key: value for key, value in app["source"].items() if key not in SECRETS}
    if source["kind"] == "directory":
        path = os.path.abspath(os.path.join(base_directory or os.getcwd(), os.path.expanduser(source["directory"])))
        if not os.path.isdir(path) or not os.access(path, os.R_OK | os.X_OK):
            raise InventoryError(
                f"app {app['name']}: source.directory: {path} is not a directory that can be read here, on the controller;"
                " correct the path."
            )
        source["directory"] = path
    templates = {path: _template(app, path, file["src"], base_directory) for path, file in app["files"].items()}
    prefix = app["mount"].rstrip("/")
    # What is at the root of the domain is not below the app, nor are its parts.
    below = "" if any(static["url"] == "/" for static in app["static"]) else prefix
    stack = _registry.STACKS[app["stack"]]
    placed = {
        **{key: value for key, value in app.items() if key not in SECRETS},
        "source": source,
        "files": templates,
        "user": app["name"],
        "group": app["name"],
        "directory": layout.directory,
        "runtime_directory": layout.runtime_directory,
        "current": layout.current,
        "previous": layout.previous,
        "live_socket": layout.live_socket,
        "preview": layout.preview,
        "preview_socket": layout.preview_socket,
        "tls": _tls.place(app["tls"], base_directory),
        "protocol": stack.protocol,
        "role": stack.role,
        "upstream": layout.upstream(stack.protocol),
        "first_host": True,
        "selected": True,
        "stop_timeout": max(30, app["drain_timeout"]) + 10,
        "system_packages": [*app["system_packages"], *stack.server.build_packages(app), *_checks.packages(app)],
        "static": [{**static, "url": below + static["url"], **_published(layout, static)} for static in app["static"]],
        "health_check": {**app["health_check"], "path": prefix + app["health_check"]["path"]},
    }
    return cast("App", placed)


def _published(layout: Layout, static: dict[str, Any]) -> dict[str, str | None]:
    """Where a static directory is, and where it was in the release before."""
    if static["shared"]:
        return {"path": os.path.join(layout.shared, static["shared"]), "previous": None}
    path, previous = (
        os.path.normpath(os.path.join(release, "build/source", static["directory"]))
        for release in (layout.current, layout.previous)
    )
    # What is internal has no fallback: nginx sends visitors there, too, if a location refuses them.
    return {"path": path, "previous": None if static["internal"] else previous}
