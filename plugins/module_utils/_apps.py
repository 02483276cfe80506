# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user writes to what the roles and modules take: defaults merged, mistakes refused.

Pure but for one look at the controller's disk: a source directory has to be there.
"""

from __future__ import annotations

import base64
import difflib
import json
import os
import re
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils._layout import (
    DIRECTORY,
    RUNTIME_DIRECTORY,
    SLOTS,
    SOCKET_PATH_BYTES,
    Layout,
)

OWN_OPTIONS = {"uwsgi": _uwsgi.OWN_OPTIONS}

PROTOCOLS = {"uwsgi": "uwsgi"}
"""The stacks, and what nginx speaks to each: ``uwsgi`` or ``http``."""

SECRETS = ("environment", "build_environment", "deploy_key")
"""The keys whose values travel apart from the rest of an app, see ``secrets``."""

# Users and groups of Debian's base system (base-passwd's and systemd's), and those of the servers this collection stands on.
RESERVED_NAMES = frozenset(
    "_apt adm audio backup bin cdrom crontab daemon dialout dip disk fax floppy games gnats input irc kmem kvm list lp mail"
    " man messagebus mlocate news nginx nobody nogroup ntp operator plugdev postfix proxy render root sasl sgx shadow src"
    " ssh sshd staff sudo supervisor sync sys syslog systemd systemd-network systemd-resolve systemd-timesync tape tty"
    " users utmp uucp uwsgi video voice wheel www-data".split()
)

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
ENTRY_POINT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
DOMAIN = re.compile(r"(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
MOUNT = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")
STATIC_URL = re.compile(r"(/[A-Za-z0-9._~-]+)+/")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SIZE = re.compile(r"[0-9]+[kKmMgG]?")


class AppError(ValueError):
    """A mistake in the list of apps; the message is one sentence for the person who wrote the inventory."""


# ---- the kinds of values: each takes what was found and returns it in its final form, or raises ValueError(what is wanted)


def _text(pattern: re.Pattern[str] | None = None, wanted: str = "a text that is not empty") -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not value or "\n" in value or (pattern and not pattern.fullmatch(value)):
            raise ValueError(wanted)
        return str(value)

    return check


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)  # a value from the command line (-e) or from another template is a string
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return check


def _list(element: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise ValueError("a list")
        return [_checked(element, item) for item in value]

    return check


def _one_of(*choices: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices) if len(choices) > 1 else choices[0])
        return str(value)

    return check


def _dict(schema: dict[str, tuple[Callable[[Any], Any], Any]]) -> Callable[[Any], dict[str, Any]]:
    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("a dictionary with " + ", ".join(schema))
        return _fill(value, schema)

    return check


def _path_inside(value: Any) -> str:
    wanted = "a path inside the source, relative and without '..'"
    path = os.path.normpath(_text(wanted=wanted)(value))
    if os.path.isabs(path) or path.split(os.sep)[0] == "..":
        raise ValueError(wanted)
    return path


def _variables(value: Any) -> dict[str, str]:
    wanted = "a dictionary of variable names (letters, digits, underscores) and texts"
    if not isinstance(value, dict):
        raise ValueError(wanted)
    checked = {}
    for name, content in value.items():
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            raise ValueError(f"{wanted}; {name!r} is not a name")
        if isinstance(content, (dict, list, tuple)) or content is None or "\0" in str(content):
            raise ValueError(f"{wanted}; the value of {name} is not a text")
        checked[str(name)] = str(content)
    return checked


def _options(value: Any) -> dict[str, Any]:
    wanted = "a dictionary of the server's options: texts, numbers, booleans, or lists of them for an option given more than once"
    if not isinstance(value, dict):
        raise ValueError(wanted)
    for name, content in value.items():
        for item in content if isinstance(content, list) else [content]:
            if not isinstance(name, str) or isinstance(item, (dict, list)) or item is None or "\n" in f"{name}{item}":
                raise ValueError(f"{wanted}; {name} is none")
    return dict(value)


def _lines(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(line, str) for line in value):
        raise ValueError("a list of lines")
    return [str(line) for line in value]


_REQUIRED = object()

SOURCE: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "git": (_text(), None),
    "version": (_text(re.compile(r"[^\s~^:?*\[\\-][^\s~^:?*\[\\]*"), "a branch, a tag or a commit"), None),
    "deploy_key": (lambda value: _key(value), None),
    "known_hosts": (_lines, None),
    "directory": (_text(), None),
    "exclude": (_list(_text()), None),
    "package": (_text(), None),
}

STATIC: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "url": (_text(STATIC_URL, "a path that begins and ends with a slash, such as /static/"), _REQUIRED),
    "directory": (_path_inside, _REQUIRED),
}

HEALTH_CHECK: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "path": (_text(re.compile(r"/[\x21-\x7e]*"), "a path below the mount that begins with a slash"), "/"),
    "status": (_list(_integer(100, 599)), [200]),
    "timeout": (_integer(1, 3600), 30),
}

# Every key of an app: how it is checked, and its default.
APP: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "name": (_text(NAME, "1 to 31 lower-case letters, digits and hyphens, a letter first"), _REQUIRED),
    "stack": (_one_of(*PROTOCOLS), None),
    "source": (_dict(SOURCE), _REQUIRED),
    "entry_point": (_text(ENTRY_POINT, "module:callable, such as shop.wsgi:application"), _REQUIRED),
    "python": (_text(), "python3"),
    "working_directory": (_path_inside, "."),
    "requirements": (_list(_path_inside), None),
    "packages": (_list(_text()), []),
    "system_packages": (_list(_text(re.compile(r"[a-z0-9][a-z0-9.+:=~-]*"), "a Debian package's name")), []),
    "build_environment": (_variables, {}),
    "environment": (_variables, {}),
    "processes": (_integer(1, 1024), None),
    "threads": (_integer(1, 1024), 2),
    "server_options": (_options, {}),
    "domains": (_list(_text(DOMAIN, "a domain name in lower case, such as shop.example.com")), []),
    "canonical_domain": (_text(DOMAIN, "one of the app's domains"), None),
    "mount": (_text(MOUNT, "/ or a URL prefix that begins with a slash and does not end with one, such as /shop"), "/"),
    "static": (_list(_dict(STATIC)), []),
    "client_max_body_size": (_text(SIZE, "a size as nginx writes it, such as 10m"), "10m"),
    "request_timeout": (_integer(1, 86400), 60),
    "nginx_directives": (_lines, []),
    "health_check": (_dict(HEALTH_CHECK), {}),
    "drain_timeout": (_integer(1, 3600), 30),
    "keep_releases": (_integer(1, 1000), 5),
}

SOURCE_EXCLUDE = [".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", "venv", ".tox", ".nox", ".*_cache", "node_modules"]


def resolve(
    apps: Any,
    stack: str = "uwsgi",
    directory: str = DIRECTORY,
    runtime_directory: str = RUNTIME_DIRECTORY,
    base_directory: str | None = None,
) -> list[dict[str, Any]]:
    """Check a list of apps as users write it, and complete it.

    :param apps: the list; its keys are described in the argument specification of the role ``app``
    :param stack: the stack of the apps that name none
    :param directory: the root of builds and releases on the hosts, an absolute path
    :param runtime_directory: the root of the sockets on the hosts, an absolute path
    :param base_directory: where a relative ``source.directory`` begins; the current directory if not given
    :returns: one dictionary an app, every key there, without what may be secret (see ``secrets``), and with
        ``user``, ``group``, ``directory``, ``runtime_directory``, ``current``, ``live_socket`` and ``protocol`` in addition;
        ``source.kind`` names the kind of source, ``static`` has absolute URLs and paths, ``health_check.path`` the mount in it
    :raises AppError: the first mistake found
    """
    for variable, path in (("wsgi_directory", directory), ("wsgi_runtime_directory", runtime_directory)):
        if not isinstance(path, str) or not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", path):
            raise AppError(f"{variable}: found {path!r}, wanted an absolute path of letters, digits, '.', '_' and '-'.")
    resolved = []
    for app in _complete(apps, stack):
        layout = Layout(app["name"], directory, runtime_directory)
        _check_socket_path(layout)
        _place(app, layout, base_directory)
        resolved.append({key: value for key, value in app.items() if key not in SECRETS})
    _check_conflicts(resolved)
    return resolved


def secrets(apps: Any) -> str:
    """What may be secret in a list of apps, as one opaque text.

    A module that took these values as parameters would either print them, or (with ``no_log``) have each of them, be it ``1``
    or ``true``, blanked in all that it prints. As one text they are blanked as one.

    :returns: base64 of JSON: {app: {"environment": {}, "build_environment": {}, "deploy_key": null}}
    """
    content = {
        app["name"]: {
            "environment": app["environment"],
            "build_environment": app["build_environment"],
            "deploy_key": app["source"]["deploy_key"],
        }
        for app in _complete(apps, "uwsgi")
    }
    return base64.b64encode(json.dumps(content).encode()).decode()


def read_secrets(text: str) -> dict[str, dict[str, Any]]:
    """The reverse of ``secrets``."""
    return json.loads(base64.b64decode(text))


def _complete(apps: Any, stack: Any) -> list[dict[str, Any]]:
    if not isinstance(apps, (list, tuple)):
        raise AppError(f"wsgi_apps: found {_shown(apps)}, wanted a list of apps; begin each with '- name:'.")
    completed: list[dict[str, Any]] = []
    for position, found in enumerate(apps, 1):
        name = found.get("name") if isinstance(found, dict) else None
        who = f"app {name}" if isinstance(name, str) else f"the app at place {position} of wsgi_apps"
        if not isinstance(found, dict):
            raise AppError(f"{who}: found {_shown(found)}, wanted a dictionary with name, source and entry_point.")
        try:
            app = _fill(found, APP)
            app["stack"] = app["stack"] or _checked_key("stack", _one_of(*PROTOCOLS), stack)
            _check_source(app["source"])
            _check_domains(app)
            _check_server_options(app)
        except AppError as error:
            raise AppError(f"{who}: {error}") from None
        if app["name"] in RESERVED_NAMES:
            raise AppError(f"{who}: name: {name} is a user or group of the system, and an app gets a user of its own; choose another name.")
        if any(earlier["name"] == app["name"] for earlier in completed):
            raise AppError(f"{who}: name: found twice, wanted once; rename one of the two.")
        completed.append(app)
    return completed


def _fill(found: dict[str, Any], schema: dict[str, tuple[Callable[[Any], Any], Any]]) -> dict[str, Any]:
    for key in found:
        if key not in schema:
            near = difflib.get_close_matches(str(key), schema, 1)
            cure = f"did you mean {near[0]}?" if near else "the keys are " + ", ".join(schema) + "."
            raise AppError(f"{key}: unknown key; {cure}")
    filled = {}
    for key, (check, default) in schema.items():
        value = found.get(key)
        if value is None and default is _REQUIRED:
            raise AppError(f"{key}: not given, and there is no default; add it.")
        filled[key] = _checked_key(key, check, default if value is None else value) if value is not None or default is not None else None
    return filled


def _checked_key(key: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except AppError as error:
        raise AppError(f"{key}.{error}") from None
    except ValueError as error:
        found = "a value that is not shown" if key in SECRETS else _shown(value)
        raise AppError(f"{key}: found {found}, wanted {error}.") from None


def _checked(check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except AppError:
        raise
    except ValueError as error:
        raise ValueError(f"a list, each {error}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _key(value: Any) -> str:
    if not isinstance(value, str) or "PRIVATE KEY-----" not in value:
        raise ValueError("the text of a private key in OpenSSH's or PEM form (for a file: lookup('ansible.builtin.file', ...))")
    return value.rstrip("\n") + "\n"


def _check_source(source: dict[str, Any]) -> None:
    kinds = [kind for kind in ("git", "directory", "package") if source[kind] is not None]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise AppError(f"source: found {found}, wanted exactly one of git, directory and package.")
    source["kind"] = kinds[0]
    for key, kind in (("version", "git"), ("deploy_key", "git"), ("known_hosts", "git"), ("exclude", "directory")):
        if source[key] is not None and source["kind"] != kind:
            raise AppError(f"source.{key}: found beside {source['kind']}, wanted only beside {kind}; remove it.")
    if source["kind"] == "git":
        source["version"] = source["version"] or "HEAD"
        if source["git"].startswith("-"):
            raise AppError(f"source.git: found {_shown(source['git'])}, wanted the URL or the path of a repository.")
    if source["kind"] == "directory" and source["exclude"] is None:
        source["exclude"] = list(SOURCE_EXCLUDE)


def _check_domains(app: dict[str, Any]) -> None:
    canonical = app["canonical_domain"]
    if canonical is not None and canonical not in app["domains"]:
        raise AppError(f"canonical_domain: found {canonical!r}, wanted one of domains ({', '.join(app['domains']) or 'none'}); add it there.")
    repeated = {domain for domain in app["domains"] if app["domains"].count(domain) > 1}
    if repeated:
        raise AppError(f"domains: found {min(repeated)!r} twice, wanted once; remove one.")


def _check_server_options(app: dict[str, Any]) -> None:
    for name in app["server_options"]:
        if name in OWN_OPTIONS[app["stack"]]:
            raise AppError(f"server_options.{name}: found an option that the collection sets itself, wanted any other; remove it.")


def _check_socket_path(layout: Layout) -> None:
    longest = max((layout.socket(slot) for slot in SLOTS), key=len)
    if len(os.fsencode(longest)) > SOCKET_PATH_BYTES:
        raise AppError(
            f"app {layout.name}: wsgi_runtime_directory: the socket path {longest} has {len(os.fsencode(longest))} bytes, wanted at most"
            f" {SOCKET_PATH_BYTES}; shorten wsgi_runtime_directory or the app's name."
        )


def _place(app: dict[str, Any], layout: Layout, base_directory: str | None) -> None:
    source = app["source"]
    source.pop("deploy_key")
    if source["kind"] == "directory":
        path = os.path.abspath(os.path.join(base_directory or os.getcwd(), os.path.expanduser(source["directory"])))
        if not os.path.isdir(path) or not os.access(path, os.R_OK | os.X_OK):
            raise AppError(f"app {app['name']}: source.directory: {path} is not a directory that can be read here, on the controller; correct the path.")
        source["directory"] = path
    prefix = app["mount"].rstrip("/")
    app.update(
        user=app["name"],
        group=app["name"],
        directory=layout.directory,
        runtime_directory=layout.runtime_directory,
        current=layout.current,
        live_socket=layout.live_socket,
        protocol=PROTOCOLS[app["stack"]],
        static=[
            {**static, "url": prefix + static["url"], "path": os.path.normpath(os.path.join(layout.current, "build/source", static["directory"]))}
            for static in app["static"]
        ],
        health_check={**app["health_check"], "path": prefix + app["health_check"]["path"]},
    )


def _check_conflicts(apps: list[dict[str, Any]]) -> None:
    """Refuse two apps that want the same URLs; an app without domains has those of every name that nobody else has."""
    taken: dict[tuple[str, str], str] = {}
    statics: list[tuple[str, str, str]] = []
    canonical: dict[str, tuple[str, str | None]] = {}
    for app in apps:
        for domain in app["domains"] or [""]:
            shown = domain or "any domain"
            owner = taken.setdefault((domain, app["mount"]), app["name"])
            if owner != app["name"]:
                raise AppError(
                    f"app {app['name']}: mount: found {app['mount']} on {shown}, which app {owner} has already; change the mount or the domains of one."
                )
            first, wanted = canonical.setdefault(domain, (app["name"], app["canonical_domain"]))
            if wanted != app["canonical_domain"]:
                raise AppError(
                    f"app {app['name']}: canonical_domain: found {app['canonical_domain']}, but app {first} on the same domain {shown} has"
                    f" {wanted}; give both the same."
                )
            statics += [(domain, static["url"], app["name"]) for static in app["static"]]
    for (domain, mount), name in taken.items():
        for where, url, owner in statics:
            if where == domain and owner != name and (mount.rstrip("/") + "/").startswith(url):
                raise AppError(
                    f"app {name}: mount: found {mount}, which is inside the static URL {url} of app {owner} on {domain or 'any domain'};"
                    " change one of the two."
                )
    seen: dict[tuple[str, str], str] = {}
    for domain, url, name in statics:
        if seen.setdefault((domain, url), name) != name:
            raise AppError(f"app {name}: static: found the URL {url} on {domain or 'any domain'}, which app {seen[domain, url]} has already; change one.")
