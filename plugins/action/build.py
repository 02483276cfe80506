# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the module ``build``: it looks into the source directories, and sends those that a host needs."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.build import _directory
from ansible_collections.wsgi.stack.plugins.plugin_utils import _step


class ActionModule(_step.StepAction):
    """A run with nothing new is one execution of the module; the files go over only if it asks for them."""

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        return {**self._task.args, "directories": {name: self._look(source) for name, source in self._sources().items()}}

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result = super().call(arguments, task_vars)
        while needed := result.pop("needed", None):
            sources = self._sources()
            sent = {name: self._send(name, sources[name]) for name in needed}
            arguments = {**arguments, "directories": {**arguments["directories"], **sent}}
            result = super().call(arguments, task_vars)
        return result

    def _sources(self) -> dict[str, dict[str, Any]]:
        """The sources on the controller, by app."""
        apps = [app for app in self._task.args.get("apps") or [] if isinstance(app, dict)]
        return {app["name"]: app["source"] for app in apps if (app.get("source") or {}).get("kind") == "directory"}

    def _look(self, source: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"digest": _directory.digest(source["directory"], source["exclude"])}
        except OSError as error:
            return {"error": f"{error.filename or source['directory']}: {error.strerror}"}

    def _send(self, name: str, source: dict[str, Any]) -> dict[str, Any]:
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, f"{name}.tar.gz")
        descriptor, archive = tempfile.mkstemp(prefix="wsgi-build-")
        try:
            with open(descriptor, "wb") as stream:
                digest = _directory.pack(source["directory"], source["exclude"], stream)
            self._transfer_file(archive, remote)
            self._fixup_perms2((self._connection._shell.tmpdir, remote))
        except OSError as error:
            return {"error": f"{error.filename or source['directory']}: {error.strerror}"}
        finally:
            os.unlink(archive)
        return {"digest": digest, "archive": remote}
