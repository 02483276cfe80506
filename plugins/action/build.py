# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the module ``build``: it looks into the source directories, sends those that a host needs, and renders
the templates of files."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.build import _directory
from ansible_collections.wsgi.stack.plugins.plugin_utils import _answers, _step, _templates


class ActionModule(_step.StepAction):
    """A run is one execution of the module: files that it needs go over before it if a survey said so. Else the module asks for
    them, and is executed once more."""

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments = {**self._task.args, "directories": {name: self._look(source) for name, source in self._sources().items()}}
        templates = {app["name"]: app for app in self._app_list() if any((app.get("files") or {}).values())}
        if templates and arguments.get("secrets"):
            secrets = _resolve.read_secrets(arguments["secrets"])
            for name, app in templates.items():
                secrets[name] = {**secrets.get(name, {}), **self._rendered(app, secrets, task_vars)}
            arguments["secrets"] = _resolve.pack_secrets(secrets)
        return arguments

    def _rendered(self, app: dict[str, Any], secrets: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The files of an app with those that are templates, or why there are none."""
        files = dict(secrets.get(app["name"], {}).get("files") or {})
        for path, src in app["files"].items():
            if src is not None:
                try:
                    text = _templates.read(self._loader, src)
                    files[path] = _templates.render(self._templar, text, [os.path.dirname(src)], {**task_vars, "app": app})
                except AnsibleError as error:
                    return {"error": f"{path}: the template {src} does not render: {error}; correct it."}
        return {"files": files}

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        sources, directories = self._sources(), dict(arguments["directories"])
        needed = [] if self._task.check_mode else _answers.needed(task_vars["inventory_hostname"]).sources
        while True:
            directories.update({name: self._send(name, sources[name]) for name in needed if name in sources})
            result = super().call({**arguments, "directories": directories}, task_vars)
            needed = result.pop("needed", [])
            if not needed:
                return result

    def _sources(self) -> dict[str, dict[str, Any]]:
        """The sources on the controller, by app."""
        return {app["name"]: app["source"] for app in self._app_list() if (app.get("source") or {}).get("kind") == "directory"}

    def _app_list(self) -> list[dict[str, Any]]:
        return [app for app in self._task.args.get("apps") or [] if isinstance(app, dict)]

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
