# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which host runs the release commands of an app."""

from __future__ import annotations

DOCUMENTATION = r"""
name: release_commands
short_description: Choose the host that runs the release commands of each app
version_added: 0.1.0
description:
  - Release commands, such as a database migration, run on one host only. That is the first host of the play that has a
    build of the app.
  - Reads what the role P(wsgi.stack.app#role) registered on the hosts of the play, C(app_build) and C(app_release_commands), and
    which releases the steps of this run found or made on the others.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description: The resolved apps, see P(wsgi.stack.apps#lookup).
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Run the release commands, once for all hosts
  vars:
    commands: "{{ lookup('wsgi.stack.release_commands', apps=lookup('wsgi.stack.apps')) }}"
  wsgi.stack.release:
    apps: "{{ commands.apps }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
    builds: "{{ app_build.builds }}"
  register: app_release_commands
  when: commands.apps | length > 0
"""

RETURN = r"""
_raw:
  description: >-
    C(apps), those whose commands this host has to run, and C(results), what M(wsgi.stack.release) returned on the hosts that ran
    commands, and C(releases) and C(failures) of the others as far as they are known, by the name of the host.
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.wsgi.stack.plugins.plugin_utils import _run


def chosen(
    apps: Sequence[Mapping[str, Any]], host: str, hosts: Sequence[str], builds: Mapping[str, Sequence[str]]
) -> list[Mapping[str, Any]]:
    """The apps whose release commands a host has to run. Pure.

    :param apps: resolved
    :param hosts: those that are left of the play, in its order
    :param builds: the names of the apps that a host has a build of, by host
    """
    earlier = {name for each in hosts[: hosts.index(host)] for name in builds.get(each, ())}
    return [app for app in apps if app["release_commands"] and app["name"] in builds.get(host, ()) and app["name"] not in earlier]


class LookupModule(LookupBase):
    """See the documentation above."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        variables = variables or {}
        apps = kwargs["apps"]
        if not any(app["release_commands"] for app in apps):
            return [{"apps": [], "results": {}}]
        hosts, hostvars = variables["ansible_play_hosts"], variables["hostvars"]
        if not _registered(hostvars[variables["inventory_hostname"]], "app_build"):  # as in a survey, which so has no answer
            raise AnsibleError("which host runs the release commands is not known before the apps are built; build them first.")
        reports = {name: _run.report(name) for name in variables["ansible_play_hosts_all"]}
        # Where the role had nothing to do, it registered nothing.
        builds = {name: list(_registered(hostvars[name], "app_build").get("builds", reports[name].releases)) for name in hosts}
        results = {}
        for name, report in reports.items():
            result = _registered(hostvars[name], "app_release_commands")
            if result and not result.get("skipped"):
                results[name] = result
            elif known := {app: number for app, number in report.releases.items() if app in builds.get(name, ())}:
                results[name] = {"releases": known, "failures": report.failures}
        return [{"apps": chosen(apps, variables["inventory_hostname"], hosts, builds), "results": results}]


def _registered(variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return variables.get(name) or {}
