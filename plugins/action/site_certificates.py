# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of ``site_certificates``: it reads the certificates and keys that lie on the controller."""

from __future__ import annotations

import base64
import json
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.wsgi.stack.plugins.module_utils.tls import _sites
from ansible_collections.wsgi.stack.plugins.plugin_utils import _step


class ActionModule(_step.StepAction):
    """See the module's documentation."""

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Ship the files of all sites as one text that no log shows."""
        arguments = dict(self._task.args)
        apps = arguments.get("apps")
        given = {}
        for site in _sites.sites(apps) if isinstance(apps, list) else []:  # anything else is the module's to refuse
            if site["mode"] == "files" and not site["on_host"]:
                given[site["name"]] = {"chain": self._read(site, "certificate"), "key": self._read(site, "key")}
        arguments["given"] = base64.b64encode(json.dumps(given).encode()).decode()
        return arguments

    def _read(self, site: dict[str, Any], key: str) -> str:
        try:
            return str(self._loader.get_text_file_contents(site[key]))
        except AnsibleError as error:
            raise AnsibleActionFail(f"app {site['name']}: tls.{key}: {site[key]} cannot be read: {error}") from error
