# SPDX-License-Identifier: GPL-3.0-or-later
"""What is particular to uWSGI: its configuration, and the plugin that fits an interpreter."""

from __future__ import annotations

from typing import Any

PROGRAM = "/usr/bin/uwsgi"

OWN_OPTIONS = frozenset(
    "chdir chmod-socket chown-socket daemonize daemonize2 die-on-term gid home hook-master-start http http-socket https ini"
    " manage-script-name master master-fifo module mount need-app need-plugin plugin plugins processes protocol pyhome socket"
    " strict threads uid uwsgi-socket vacuum venv virtualenv workers wsgi wsgi-file".split()
)
"""The options that this collection sets, and that the rollout relies on."""


def plugin_name(python: dict[str, Any]) -> str:
    """The name of the uWSGI plugin for an interpreter, as Debian names its own: ``python311`` for CPython 3.11."""
    major, minor = python["version"].split(".")[:2]
    return f"python{major}{minor}"


def ini(app: dict[str, Any], build: dict[str, Any], processors: int, backlog: int) -> str:
    """The configuration of one release, without the socket, which belongs to the slot.

    :param app: a resolved app
    :param build: ``path`` and ``python`` of its build
    :param processors: how many the host has
    :param backlog: the longest listen queue that the host's kernel allows (net.core.somaxconn); with a longer one uWSGI does not
        start
    """
    options: dict[str, Any] = {
        "strict": True,
        "need-plugin": plugin_name(build["python"]),
        "virtualenv": f"{build['path']}/venv",
        "chdir": working_directory(app, build),
        **_application(app),
        "need-app": True,
        "single-interpreter": True,
        "master": True,
        "processes": app["processes"] or max(2, processors),
        "threads": app["threads"],
        "listen": min(1024, backlog),
        "buffer-size": 32768,
        "vacuum": True,
        # The directory of the socket is the gate: nobody but the app and nginx's group gets into it.
        "chmod-socket": "666",
        # SIGTERM ends the requests in flight first; die-on-term would swap the signals' meaning.
        "hook-master-start": "unix_signal:15 gracefully_kill_them_all",
        "worker-reload-mercy": app["drain_timeout"],
        "disable-logging": True,
        "log-5xx": True,
    }
    options.update(app["server_options"])
    lines = [line for name, value in options.items() for line in _lines(name, value)]
    return "\n".join(["# Managed by wsgi.stack: a release is never changed, a new one is made.", "[uwsgi]", *lines, ""])


def working_directory(app: dict[str, Any], build: dict[str, Any]) -> str:
    """The directory that a release of the app runs in."""
    source = f"{build['path']}/source"
    return source if app["working_directory"] == "." else f"{source}/{app['working_directory']}"


def _application(app: dict[str, Any]) -> dict[str, Any]:
    if app["mount"] == "/":
        return {"module": app["entry_point"]}
    # With manage-script-name uWSGI itself splits the path in SCRIPT_NAME and PATH_INFO; nginx leaves it alone.
    return {"mount": f"{app['mount']}={app['entry_point']}", "manage-script-name": True}


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [line for item in value for line in _lines(name, item)]
    if value is False:
        return []
    return [f"{name} = {'true' if value is True else value}"]
