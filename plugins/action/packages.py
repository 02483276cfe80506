# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs Debian packages through ansible.builtin.apt, and copes with hosts on which apt knows nothing yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.plugin_utils import _answers, _imports, _step

_imports.import_all()  # here, since every role begins with packages

APT = "ansible.builtin.apt"

LOCK_TIMEOUT = 600
"""Seconds that another run of apt has to end, be it another play's."""

UNKNOWN = re.compile(r"No package matching '([^']+)' is available")
"""What ansible.builtin.apt says of a name, without the version that may have been wanted with it."""

# What ansible.builtin.apt says in check mode where it cannot know better: it does not fetch package lists then.
UNKNOWN_IN_CHECK_MODE = ("No package matching", "must be installed to use check mode")


class ActionModule(_step.StepAction):
    """See the module's documentation."""

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        given = self._given()
        return {"name": sorted({*given["name"], *(name for names in given["of_apps"].values() for name in names)})}

    def _given(self) -> dict[str, Any]:
        _validation, given = self.validate_argument_spec(
            {"name": {"type": "list", "elements": "str", "required": True}, "of_apps": {"type": "dict", "default": {}}}
        )
        return dict(given)

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Install, together with all other packages of which a survey found that they are missing.

        In check mode each task says what it lacks itself: others depend on whether it does.
        """
        if self._task.check_mode:
            return self._predicted(arguments["name"], task_vars)
        host = task_vars["inventory_hostname"]
        needed, installed = _answers.needed(host), _answers.installed(host)
        if {*arguments["name"]} <= installed:
            return {"changed": False}
        names = sorted({*arguments["name"], *needed.packages} - installed)
        failures: list[dict[str, Any]] = []
        while True:
            result = self._install(names, task_vars, needed.package_lists or bool(installed))
            unknown = self._unknown(result)
            if not unknown:
                break
            names.remove(unknown)
            failures += self._failures(unknown)
        if result.get("failed"):
            return result
        _answers.note_installed(host, names)
        return {**result, "failures": failures}

    def _unknown(self, result: Mapping[str, Any]) -> str:
        """The package that apt does not know and that only apps need, "" if that is not why it failed."""
        found = UNKNOWN.search(str(result.get("msg"))) if result.get("failed") else None
        given = self._given()
        return found[1] if found and found[1] not in given["name"] and self._failures(found[1]) else ""

    def _failures(self, package: str) -> list[dict[str, Any]]:
        """The failures of the apps that need a package."""
        fix = "correct its name, or add the source that has it to the host"
        return [
            StackError("system_packages", f"apt knows no package {package}; {fix}.").result(app)
            for app, names in self._given()["of_apps"].items()
            if package in names
        ]

    def _install(self, names: list[str], task_vars: dict[str, Any], lists: bool) -> dict[str, Any]:
        """Install with the package lists that are there; fetch new ones only if there are none, or if that fails.

        :param lists: whether there are any
        """
        if lists:
            result = self._apt(names, task_vars)
            if not result.get("failed"):
                return result
        return self._apt(names, task_vars, update_cache=True)

    def _predicted(self, names: list[str], task_vars: dict[str, Any]) -> dict[str, Any]:
        result = self._apt(names, task_vars)
        if result.get("failed") and any(text in str(result.get("msg")) for text in UNKNOWN_IN_CHECK_MODE):
            after = "".join(f"{name}\n" for name in names)
            return {
                "changed": True,
                "msg": "apt has no list of packages here that has them all; it would be fetched, and they would be installed.",
                "diff": {"before": "", "after": after, "after_header": "packages that would be there"},
            }
        return result

    def _apt(self, names: list[str], task_vars: dict[str, Any], **options: Any) -> dict[str, Any]:
        arguments = {"name": names, "install_recommends": False, "lock_timeout": LOCK_TIMEOUT, **options}
        with self.ahead(APT, task_vars):
            return self._execute_module(module_name=APT, module_args=arguments, task_vars=task_vars)
