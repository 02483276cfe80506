# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What is particular to gunicorn: its configuration, and how it is started."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn_asgi, _gunicorn_hooks
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported
from ansible_collections.wsgi.stack.plugins.module_utils.host import _mounts

CONFIGURATION = "gunicorn.conf.py"

WRAPPER = ""

HOOKS = inspect.getsource(_gunicorn_hooks).rstrip()
"""The first part of every configuration. Read at the import, for which there is one thread: of several that have inspect read a
file for the first time, one may be told that there is none."""

ASGI = inspect.getsource(_gunicorn_asgi).replace("from __future__ import annotations\n", "").rstrip()
"""What follows it for an ASGI application. Not for others: it imports asyncio, and gevent replaces what that has imported."""

SANDBOX = inspect.getsource(_mounts).rstrip()
"""What the sandbox consists of."""

OWN_OPTIONS = frozenset(
    "asgi_lifespan certfile chdir check_config config control_socket_disable daemon errorlog forwarder_headers graceful_timeout"
    " group initgroups keepalive keyfile pidfile post_worker_init pre_request print_config proc_name protocol proxy_protocol"
    " raw_env reload reuse_port root_path secure_scheme_headers threads umask user worker_class workers wsgi_app".split()
)
"""The settings that this collection sets, and that the rollout relies on."""

INSTEAD = {
    "worker_class": "an ASGI application gets a worker for ASGI by itself, and gevent is a key of the app; remove it.",
}
"""What to do instead of setting one of them, where that is not to do without."""

BINDING_OPTIONS = frozenset(["bind", "control_socket"])

INCLUDING_OPTIONS: frozenset[str] = frozenset()
"""The settings by which gunicorn opens another socket than its slot's, which it could only do while no other slot runs."""

PING_INTERVAL = 20.0
"""Seconds between two pings over a websocket, as uvicorn has it, unless nginx gives up earlier."""

KEEPALIVE = 60
"""Seconds for which threads keep a connection that nginx keeps, see ``nginx._upstream``; it is the first to give it up."""

STOP_TIME = 2
"""Seconds for which a worker that stops answers what still comes in by such a connection."""

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
    # The configuration is a module of that name to gunicorn.
    return [f"exec {release}/run {program(app, build)} {options} '__config__:entry_point()'"]


def refusal(app: App, imported: Imported) -> str:
    """Why gunicorn cannot serve an application, and what to do; "" if it can. Pure."""
    if imported.interface == "wsgi":
        return ""
    if app["gevent"]:
        return "is an ASGI application, and gevent is for WSGI applications; remove gevent"
    if not imported.worker:
        fix = "allow gunicorn 27 or later in the requirements, with Python 3.10 or later, or add uvicorn-worker to packages"
        return f"is an ASGI application, and the gunicorn in the build has no worker for that; {fix}"
    return ""


def advice(_line: str) -> str:
    """What to do about the line of its log by which a server ended: gunicorn's own say it."""
    return ""


def loads_before_fork(app: App) -> bool:
    """Whether gunicorn loads an app before it forks, unless the user's options decide: it does not."""
    return False


def workers(app: App, host: Mapping[str, int]) -> int:
    """How many processes of a slot answer requests once it has started."""
    return app["processes"] or max(2, host["processors"])


def configuration(app: App, build: dict[str, Any], host: Mapping[str, int], imported: Imported) -> str:
    """The configuration of one release, without the socket, which belongs to the slot. Any gunicorn from 20.1 on takes it.

    :param app: a resolved app
    :param build: has the ``path``
    :param host: ``processors``, how many it has; ``backlog``, the longest listen queue that its kernel allows
    :param imported: what is known of its import
    """
    mount = app["mount"].rstrip("/")
    settings: dict[str, Any] = {
        "keepalive": 0,  # each response says that it is the last one of its connection
        **_workers(app, imported),
        "workers": workers(app, host),
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
    asgi = ["", "", ASGI] if imported.interface == "asgi" else []
    lines = [
        "# Managed by wsgi.stack: a release is never changed, a new one is made.",
        HOOKS,
        *asgi,
        "",
        "",
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


def _workers(app: App, imported: Imported) -> dict[str, Any]:
    """How a process works on several requests at once: not at all, by threads, by greenlets, or by coroutines."""
    if imported.interface == "asgi":
        interval = min(PING_INTERVAL, app["request_timeout"] / 2)
        return {"worker_class": imported.worker or "asgi", "threads": 1, "asgi_lifespan": "on", "PING_INTERVAL": interval}
    if app["gevent"]:
        return {"worker_class": "gevent", "threads": 1, "worker_connections": app["gevent"]}
    if app["threads"] == 1:
        return {"worker_class": "sync", "threads": 1}
    kept = {"keepalive": KEEPALIVE} if app["drain_timeout"] > STOP_TIME else {}
    return {"worker_class": "gthread", "threads": app["threads"], **kept}
