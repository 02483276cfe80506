# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What is particular to gunicorn: its configuration, and how it is started."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn_hooks
from ansible_collections.wsgi.stack.plugins.module_utils.host import _mounts

CONFIGURATION = "gunicorn.conf.py"

HOOKS = inspect.getsource(_gunicorn_hooks).rstrip()
"""The first part of every configuration. Read at the import, for which there is one thread: of several that have inspect read a
file for the first time, one may be told that there is none."""

SANDBOX = inspect.getsource(_mounts).rstrip()
"""What the sandbox consists of."""

OWN_OPTIONS = frozenset(
    "bind certfile chdir check_config config daemon errorlog forwarder_headers graceful_timeout group initgroups keyfile pidfile"
    " post_worker_init print_config proc_name protocol proxy_protocol raw_env reload reuse_port secure_scheme_headers threads"
    " umask user worker_class workers wsgi_app".split()
)
"""The settings that this collection sets, and that the rollout relies on."""

PATIENCE = 30
"""Seconds that a worker may be silent for beyond the longest request: nginx gives up first, and tells the visitor so."""


def plugin(app: App, build: Mapping[str, Any]) -> str | None:
    """The uWSGI plugin that a release needs: none."""
    return None


def requirements(app: App) -> list[str]:
    """What the app's build has to contain for its server. A version can be set in the app's own requirements."""
    return ["gunicorn[gevent]" if app["gevent"] else "gunicorn"]


def build_packages(app: App) -> list[str]:
    """The Debian packages that installing ``requirements`` takes."""
    return []


def program(app: App, build: Mapping[str, Any]) -> str:
    """The gunicorn that serves a build."""
    return f"{build['path']}/venv/bin/gunicorn"


def launcher(app: App) -> str | None:
    """The program of a release that starts ``serve`` as root: a sandbox, which supervisor does not have."""
    arguments = [app["user"], [_layout.of(app).shared, *app["writable_paths"]], app["privileged_programs"]]
    call = f"start({', '.join(map(repr, arguments))}, sys.argv[1:])"
    return f"#!/usr/bin/env -S python3 -I\n{SANDBOX}\n\n\nimport sys\n\n{call}\n"


def start(app: App, build: Mapping[str, Any], release: str) -> list[str]:
    """The lines of a release's ``serve`` that end in its server; ``$1`` is the slot.

    :param release: the release's directory
    """
    # No shell stays in between: supervisor's signals go to the master, which takes the socket it is handed by itself.
    name = _layout.of(app).instance("$1")
    options = f'--config {release}/{CONFIGURATION} --name "{name}"'
    return [f"exec {release}/run {program(app, build)} {options} {_application(app)}"]


def _application(app: App) -> str:
    # gunicorn takes a function's name there or a call, and no dots; the configuration is a module of that name to it.
    return "'__config__:entry_point()'" if _dotted(app) else app["entry_point"]


def _dotted(app: App) -> bool:
    return "." in app["entry_point"].partition(":")[2]


def configuration(app: App, build: dict[str, Any], host: Mapping[str, int]) -> str:
    """The configuration of one release, without the socket, which belongs to the slot. Any gunicorn from 20.1 on takes it.

    :param app: a resolved app
    :param build: has the ``path``
    :param host: ``processors``, how many it has; ``backlog``, the longest listen queue that its kernel allows
    """
    mount = app["mount"].rstrip("/")
    settings: dict[str, Any] = {
        **_workers(app),
        "workers": app["processes"] or max(2, host["processors"]),
        "chdir": _layout.working_directory(app, build),
        # Not by a header, which another client could send and which gunicorn 22 does not take.
        "raw_env": [f"SCRIPT_NAME={mount}"] if mount else [],
        "forwarder_headers": "",
        # nginx sets this one always, and is the only client there is: the directory of the socket is the gate.
        "secure_scheme_headers": {"X-FORWARDED-PROTO": "https"},
        "backlog": min(1024, host["backlog"]),
        "umask": 0o027,  # of what the app writes; gunicorn's own default lets everybody write
        # As long and as many as gunicorn can take: nginx limits them.
        "limit_request_line": 8190,
        "limit_request_fields": 32768,
        "limit_request_field_size": 65535,
        # A sync worker that works on a request is silent; one that is for longer is killed, and so is one that does not load.
        "timeout": max(app["request_timeout"], app["health_check"]["timeout"]) + PATIENCE,
        "graceful_timeout": app["drain_timeout"],
        # Where workers tell that they are alive: on a disk that stalls they would be killed.
        "worker_tmp_dir": "/dev/shm",
        "errorlog": "-",
        "accesslog": None,
        # From gunicorn 25 on both slots would have one and the same.
        "control_socket_disable": True,
    }
    lines = [
        "# Managed by wsgi.stack: a release is never changed, a new one is made.",
        HOOKS,
        "",
        "",
        *(_ENTRY_POINT.format(*app["entry_point"].split(":")).splitlines() if _dotted(app) else []),
        "import gunicorn",
        "import gunicorn.config",
        "",
        *(f"{name} = {value!r}" for name, value in settings.items()),
        "",
        f"options = {dict(app['server_options'])!r}",
        "refuse_unknown(options, [setting.name for setting in gunicorn.config.KNOWN_SETTINGS], gunicorn.__version__)",
        "globals().update(options)",
        "",
    ]
    return "\n".join(lines)


_ENTRY_POINT = """\
def entry_point():
    import functools
    import importlib

    return functools.reduce(getattr, {1!r}.split("."), importlib.import_module({0!r}))

"""


def _workers(app: App) -> dict[str, Any]:
    """How a process works on several requests at once: not at all, by threads, or by greenlets."""
    if app["gevent"]:
        return {"worker_class": "gevent", "threads": 1, "worker_connections": app["gevent"]}
    return {"worker_class": "gthread" if app["threads"] > 1 else "sync", "threads": app["threads"]}
