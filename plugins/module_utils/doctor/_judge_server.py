# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the server of an app. Pure."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess


def judge(process: ServerProcess, address: str, served: bool, limit: int, restart: str) -> list[Finding]:
    """What is wrong with a server. Pure.

    :param address: what it listens on
    :param served: whether it answers there
    :param limit: net.core.somaxconn
    :param restart: the command that starts it anew
    """
    severity = WARNING if served else BROKEN
    found = []
    if process.environment and process.python and process.made_for:
        if process.made_for.split(".")[:2] != process.python.split(".")[:2]:
            message = (
                f"{process.name} runs Python {process.python}, and its virtual environment {process.environment} was made for "
                f"Python {process.made_for}: no package of it is found."
            )
            evidence = (f"{process.environment}/pyvenv.cfg: {process.made_for}", *process.plugins, *process.files)
            fix = f"make the virtual environment anew with Python {process.python}, or {_other(process)}; then: {restart}"
            found.append(Finding(severity, "python_mismatch", message, evidence, fix))
    if process.dangling:
        message = f"The virtual environment {process.environment} has lost its interpreter: {process.dangling} does not exist."
        fix = f"install that Python again, or make the virtual environment anew; then: {restart}"
        found.append(Finding(severity, "venv_broken", message, (process.dangling,), fix))
    for name in process.missing_plugins:
        message = f"{process.name} is to load uWSGI's plugin {name}, which is not installed."
        fix = f"install the Debian package of the plugin (apt-cache search uwsgi-plugin), or build it; then: {restart}"
        found.append(Finding(severity, "plugin_missing", message, process.files, fix))
    for objection in process.unfit_plugins:
        fix = f"let the module wsgi.stack.uwsgi_plugin make one that fits, or reinstall its Debian package; then: {restart}"
        found.append(Finding(severity, "plugin_unfit", f"{objection}.", process.plugins, fix))
    if process.backlog > limit > 0:
        message = (
            f"{process.name} asks for a listen queue of {process.backlog}, and the kernel allows {limit} (net.core.somaxconn)."
        )
        fix = f"{_findings.allow_backlog(process.backlog)} && {restart}"
        found.append(Finding(severity, "backlog_over_somaxconn", message, process.files, fix))
    return [*found, *_judge_age(process, address, restart)]


def _other(process: ServerProcess) -> str:
    if process.kind == "uwsgi":
        version = process.made_for.split(".")[:2]
        return f"have uWSGI load the plugin of Python {'.'.join(version)} (plugins = python{''.join(version)})"
    return f"start it with Python {process.made_for}"


def _judge_age(process: ServerProcess, address: str, restart: str) -> list[Finding]:
    found = []
    if process.replaced:
        message = f"{process.name}, which listens on {address}, runs programs that have been replaced since it started."
        found.append(Finding(WARNING, "older_than_program", message, process.replaced, restart))
    words = {
        "configuration": ("older_than_configuration", "its configuration was changed after that"),
        "code": ("older_than_code", "its code was changed after that"),
        "packages": ("older_than_packages", "packages of its virtual environment were changed after that"),
    }
    for kind, (code, what) in words.items():
        files = [(path, when) for found_kind, path, when in process.newer if found_kind == kind]
        if files:
            began = process.started if kind == "configuration" else process.working
            message = f"{process.name}, which listens on {address}, runs since {_findings.moment(began)}, and {what}."
            evidence = tuple(f"{path}: {_findings.moment(when)}" for path, when in files)
            found.append(Finding(WARNING, code, message, evidence, restart))
    return found
