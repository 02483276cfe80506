# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of ``config_tree``: it renders the templates, and ships all the texts in one module execution."""

from __future__ import annotations

import os
from typing import Any

from ansible import template
from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.wsgi.stack.plugins.plugin_utils import _step


class ActionModule(_step.StepAction):
    """See the module's documentation."""

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(self._task.args)
        sources: dict[str, Any] = {}
        files = arguments.get("files")
        if isinstance(files, list):  # anything else is the module's to refuse
            arguments["files"] = [self._rendered(file, task_vars, sources) for file in files]
        return arguments

    def _rendered(self, file: Any, task_vars: dict[str, Any], sources: dict[str, Any]) -> Any:
        if not isinstance(file, dict) or not file.get("src") or file.get("content") is not None:
            return file
        name = file["src"]
        try:
            if name not in sources:
                path = self._find_needle("templates", name)
                # Not imported by its name: an ansible-core that is too old has none, and is refused in run().
                sources[name] = path, template.trust_as_template(self._loader.get_text_file_contents(path))
            path, source = sources[name]
            templar = self._templar.copy_with_new_env(
                searchpath=self._search_path(path), available_variables={**task_vars, **(file.get("vars") or {})}
            )
            # Texts that come out of a template are never templates themselves: a "{{" of an app's stays as it is.
            text = templar.template(source, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": True})
        except AnsibleError as error:
            raise AnsibleActionFail(f"{file.get('dest')}: the template {name} does not render: {error}") from error
        rest = {key: value for key, value in file.items() if key not in ("src", "vars")}
        return {**rest, "content": "" if text is None else str(text)}

    def _search_path(self, source: str) -> list[str]:
        """Where ``include`` and ``import`` look, as in ansible.builtin.template."""
        folders = [*self._task.get_search_path(), self._loader.get_basedir(), os.path.dirname(source)]
        return [path for folder in folders for path in (os.path.join(folder, "templates"), folder)]
