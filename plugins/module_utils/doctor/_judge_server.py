# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Judge the server of an app. Pure."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import then

AGAIN = "Restart the server."


def judge(process: ServerProcess, address: str, served: bool, limit: int, restart: str) -> list[Finding]:
    """Find what is wrong with a server. Pure.

    :param address: the address it listens on
    :param served: whether it answers there
    :param limit: net.core.somaxconn, 0 if unknown
    :param restart: the command that restarts it
    """
    severity = WARNING if served else BROKEN
    found = []
    if process.environment and process.python and process.made_for:
        if process.made_for.split(".")[:2] != process.python.split(".")[:2]:
            message = (
                f"{process.name} runs Python {process.python}, but its virtual environment {process.environment} was created "
                f"for Python {process.made_for}: it cannot import packages from there."
            )
            evidence = (f"{process.environment}/pyvenv.cfg: {process.made_for}", *process.plugins, *process.files)
            fix = then(f"Make the virtual environment anew with Python {process.python}, or {_other(process)}", restart)
            found.append(Finding(severity, "python_mismatch", message, evidence, fix))
    if process.dangling:
        message = f"The virtual environment {process.environment} has no interpreter: {process.dangling} does not exist."
        fix = then("Reinstall that Python, or make the virtual environment anew", restart)
        found.append(Finding(severity, "venv_broken", message, (process.dangling,), fix))
    for name in process.missing_plugins:
        message = f"{process.name} is configured to load the uWSGI plugin {name}, which is not installed."
        fix = then("Install its Debian package (apt-cache search uwsgi-plugin), or build the plugin", restart)
        found.append(Finding(severity, "plugin_missing", message, process.files, fix))
    for problem in process.unfit_plugins:
        fix = then("Build the plugin with the module wsgi.stack.uwsgi_plugin, or reinstall its Debian package", restart)
        found.append(Finding(severity, "plugin_unfit", f"{problem}.", process.plugins, fix))
    if process.backlog > limit > 0:
        message = (
            f"{process.name} asks for a listen queue of {process.backlog}, but the kernel allows {limit} (net.core.somaxconn)."
        )
        fix = f"{_findings.allow_backlog(process.backlog)}{f' && {restart}' if restart else ''}"
        severity = severity if process.kind == "uwsgi" else WARNING  # others get a shorter queue
        found.append(Finding(severity, "backlog_over_somaxconn", message, process.files, fix))
    return [*found, *_judge_age(process, address, restart)]


def _other(process: ServerProcess) -> str:
    if process.kind == "uwsgi":
        version = process.made_for.split(".")[:2]
        return f"load uWSGI's plugin for Python {'.'.join(version)} (plugins = python{''.join(version)})"
    return f"start it with Python {process.made_for}"


def _judge_age(process: ServerProcess, address: str, restart: str) -> list[Finding]:
    found = []
    if process.replaced:
        message = f"{process.name}, which listens on {address}, still runs programs that were upgraded after it started."
        found.append(Finding(WARNING, "older_than_program", message, process.replaced, restart or AGAIN))
    words = {
        "configuration": ("older_than_configuration", "its configuration has changed since"),
        "code": ("older_than_code", "its code has changed since"),
        "packages": ("older_than_packages", "packages in its virtual environment have changed since"),
    }
    for kind, (code, what) in words.items():
        files = [(path, when) for found_kind, path, when in process.newer if found_kind == kind]
        if files:
            began = process.started if kind == "configuration" else process.working
            message = f"{process.name}, which listens on {address}, was started at {_findings.moment(began)}; {what}."
            evidence = tuple(f"{path}: {_findings.moment(when)}" for path, when in files)
            found.append(Finding(WARNING, code, message, evidence, restart or AGAIN))
    return found
