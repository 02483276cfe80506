# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The settings that all roles, playbooks and steps share, with their defaults, and the apps resolved with them."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Callable

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils._layout import DIRECTORY, RUNTIME_DIRECTORY
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve, _schema
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import DEFAULT
from ansible_collections.wsgi.stack.plugins.plugin_utils import _given_certificates

SHARED: dict[str, Any] = {
    "wsgi_stack": "uwsgi",
    "wsgi_list": DEFAULT,
    "wsgi_take_over": [],
    "wsgi_directory": DIRECTORY,
    "wsgi_runtime_directory": RUNTIME_DIRECTORY,
    "wsgi_nginx_user": "www-data",
    "wsgi_nginx_group": "www-data",
    "wsgi_preview": False,
    "wsgi_prune": False,
    "wsgi_remove_shared": False,
    "wsgi_defer_failures": False,
    "wsgi_defer_commands": False,
}
"""The shared variables with their defaults. A key of the settings is the name without ``wsgi_``."""

ACCOUNT = _schema.text(re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*"))

LIST = _schema.text(_resolve.NAME)

ROOT = _schema.text(re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)+"))

OF_ROLES: dict[str, Any] = {
    "uwsgi_install_from": "distribution",
    "uwsgi_plugin_source": "auto",
    "nginx_http_ports": [80],
    "nginx_ipv6": True,
    "nginx_default_server": True,
    "nginx_http_directives": [],
    "certbot_options": [],
    "certbot_ca_bundle": None,
}
"""Variables of one role that decide whether a list of apps is valid, or has a place on a host, with that role's defaults."""

OF_HOST = (
    "wsgi_directory",
    "wsgi_runtime_directory",
    "wsgi_nginx_user",
    "wsgi_nginx_group",
    "uwsgi_plugin_source",
    "nginx_http_ports",
    "nginx_ipv6",
    "nginx_default_server",
    "nginx_http_directives",
    "certbot_ca_bundle",
)
"""Those that are the same for all lists of apps on a host, since what they are for is there once."""


def read(variables: Mapping[str, Any], template: Callable[[Any], Any], extra_variables: Collection[str] = ()) -> dict[str, Any]:
    """The settings of a host.

    :param variables: all variables that the task sees, not templated
    :param template: makes the value of one
    :param extra_variables: the names of those of the command line. An inventory can have a variable ``app`` for something else
    :raises InventoryError: a value that the variable cannot have, or ``app`` without a name
    """
    found = {
        name.removeprefix("wsgi_"): _value(name, template(variables[name]), default) if name in variables else default
        for name, default in {**SHARED, **OF_ROLES}.items()
    }
    base = template(variables["inventory_dir"]) if "inventory_dir" in variables else None
    only = names(template(variables.get("wsgi_only_apps", [])) or []) if "app" in extra_variables else []
    if "app" in extra_variables and "wsgi_only_apps" in variables and not only:
        raise InventoryError("app: it names no app, as -e app=$APP if the shell has no APP; name one, or leave it out for all.")
    return {
        **found,
        # An inventory of the command line, as in -i host, has the text None.
        "base_directory": base if base and os.path.isabs(base) else None,
        "only_apps": only,
        "of_host": {name: found[name.removeprefix("wsgi_")] for name in OF_HOST},
    }


def names(value: Any) -> list[str]:
    """The names of apps in a list, or in a text with commas between them."""
    found = value.split(",") if isinstance(value, str) else value
    return [str(name).strip() for name in found if str(name).strip()]


def _value(name: str, value: Any, default: Any) -> Any:
    kind = "true or false" if isinstance(default, bool) else "a list of port numbers"
    try:
        if isinstance(default, bool):
            return boolean(value)
        if name == "nginx_http_ports":
            return [_port(port) for port in value]
        if name == "wsgi_list":
            kind = "1 to 31 lower-case letters, digits and hyphens, a letter first"
            return LIST(value)
        if name == "wsgi_take_over":
            kind = "a list of names of apps"
            return names(value)
        if name in ("wsgi_nginx_user", "wsgi_nginx_group"):
            # It is written to units and to files for systemd-tmpfiles, where a blank or a line break begins something else.
            kind = "the name of a user or group"
            return ACCOUNT(value)
        if name in ("wsgi_directory", "wsgi_runtime_directory"):
            kind = "an absolute path of letters, digits, '.', '_' and '-', without '..'"
            return ROOT(value)
        return value
    except (TypeError, ValueError):
        raise InventoryError(f"{name}: {_schema.shown(value)} is not valid; set it to {kind}.") from None


def _port(value: Any) -> int:
    if not 0 < int(value) < 65536:
        raise ValueError
    return int(value)


def resolve(apps: Any, settings: Mapping[str, Any]) -> list[App]:
    """The apps with every key filled in.

    :param apps: as a user writes them
    :param settings: what ``read`` returned
    :raises InventoryError: the first mistake in the list
    """
    try:
        question = json.dumps([apps, settings], sort_keys=True)
    except TypeError:  # a value that no app can have, which is refused
        return _resolve_now(apps, settings)
    if question not in _resolved:
        _resolved.clear()  # a list of the past is not asked for again
        _resolved[question] = _resolve_now(apps, settings)
    return [app.copy() for app in _resolved[question]]


_resolved: dict[str, list[App]] = {}
"""The last list and what it became. Ansible templates a variable again wherever it occurs, some thirty times in a run."""


def _resolve_now(apps: Any, settings: Mapping[str, Any]) -> list[App]:
    resolved = _resolve.resolve(
        apps,
        stack=settings["stack"],
        uwsgi_install_from=settings["uwsgi_install_from"],
        directory=settings["directory"],
        runtime_directory=settings["runtime_directory"],
        base_directory=settings["base_directory"],
        http_ports=settings["nginx_http_ports"],
        certbot_options=settings["certbot_options"],
    )
    now = datetime.datetime.now(datetime.timezone.utc)
    for app in resolved:
        _given_certificates.check(app, now)
    return resolved
