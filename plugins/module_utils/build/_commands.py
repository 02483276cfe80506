# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Build commands: what makes the files of a build that neither its source nor its packages bring, such as collected assets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.host import _redact, _sandbox, _shell
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import inherited
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox

TIMEOUT = 3600
"""Seconds for each command."""


def execute(
    app: App,
    build: str,
    directory: str,
    environment: Mapping[str, str],
    build_environment: Mapping[str, str],
    sandbox: Sandbox,
    hidden: Iterable[str],
) -> None:
    """Run an app's build commands in its build.

    They find all variables of the app, since they import its code. Of the app's data they find an empty directory in its place,
    and what they leave there is lost: a build is made before anybody knows whether it will ever be live.

    :param build: the directory of the build
    :param directory: where they run
    :param environment: the app's variables
    :param build_environment: those that say how to reach package indexes; the app's own have precedence
    :param sandbox: the unit of the build
    :param hidden: what else their output must not show
    :raises StackError: one of them failed
    """
    layout = _layout.of(app)
    variables = {
        **inherited(),
        **_layout.variables(app, build),
        "HOME": layout.build_cache[1],  # where package managers keep their caches
        **build_environment,
        **environment,
    }
    within = _sandbox.with_empty(sandbox, layout.shared)
    redact = _redact.redactor([*_redact.secret_values(build_environment), *_redact.secret_values(environment), *hidden])
    _shell.execute(
        "build_commands", app["build_commands"], lambda argv: within.run([argv], variables, directory, TIMEOUT), redact
    )
