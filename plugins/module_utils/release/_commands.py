# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Release commands: what has to be done once before a new release takes traffic, such as a change of a database's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _read_only, _shell
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox


def execute(
    commands: Sequence[str], runner: Sequence[str], sandbox: Sandbox, redact: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Run the commands of a release one after the other, each with a shell.

    A command has as much time as it needs, and reads the end of a file where it waits for input. Nothing that it starts outlives
    it, and it does not outlive the module: the next run begins with the first command.

    :param runner: what runs a program in the release
    :param redact: takes out of a text what is secret
    :returns: of each, ``command``, ``code``, ``seconds`` and ``output``, lines
    :raises StackError: the first that did not end with the exit code 0; those after it are not run
    """
    return _shell.execute("release_commands", commands, lambda argv: sandbox.run([[*runner, *argv]]), redact, _read_only.fix)


def check_elsewhere(app: str, here: str, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Make sure that another host has run the release commands of an app, so that this one can skip them. Pure.

    :param here: the name of this host
    :param results: the results of the module ``release`` on the hosts that ran the commands of any app, by the host's name; a
        host that did not finish has whatever Ansible registered for it
    :raises StackError: the commands were not run, or failed, so there must be no such release here
    """
    if any(app in result.get("releases", {}) for result in results.values()):
        return
    for host, result in results.items():
        for failure in result.get("failures", []):
            if failure["app"] == app:
                cause = failure["message"].removeprefix(f"app {app}: {failure['step']}: ")
                where = "" if host == here else f"on {host}, which runs the release commands for all hosts: "
                raise StackError(failure["step"], f"{where}{cause}", "\n".join(failure["log"]))
    lost = " and ".join(host for host, result in results.items() if "releases" not in result)
    who = f"on {lost}, which did not finish" if lost else "on any host"
    raise StackError(
        "release_commands", f"they were not run {who}; fix that and run the play again. The running release is unchanged."
    )
