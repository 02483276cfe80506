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

    def execute(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        sources = {}
        for app in self._task.args.get("apps") or []:
            if isinstance(app, dict) and (app.get("source") or {}).get("kind") == "directory":
                sources[app["name"]] = app["source"]
        found = {name: self._look(source) for name, source in sources.items()}
        result = self._call(found, task_vars)
        while needed := result.pop("needed", None):
            found.update({name: self._send(name, sources[name]) for name in needed})
            result = self._call(found, task_vars)
        return result

    def _call(self, directories: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments = {**self._task.args, "directories": directories}
        return self._execute_module(module_name="wsgi.stack.build", module_args=arguments, task_vars=task_vars)

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
