#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Number and write releases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Make numbered releases of WSGI apps from their builds
version_added: 0.1.0
description:
  - A release is a build, the variables of its environment and the configuration of its app server.
    It is numbered and never changed.
  - A new one is made when any of the three differs from the newest release.
  - Its variables are those of the app's C(environment) and, for names that this has not, of its C(environment_file).
  - Imports the entry point as the app's user, through the new release's own C(run), in its directory, with its virtual
    environment and its variables. A release whose entry point cannot be imported does not come into being.
  - Ends with the app's C(release_commands), in the same way. A release of which a command fails does not come into being. As
    they are no part of a release, a change of the commands alone makes none, and they are not run again for a release that is
    there, nor by a rollback.
  - Touches nothing that runs. Removes releases and builds that are older than the last C(keep_releases) releases that were live,
    and that no slot names; what never was live is not kept.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description:
      - Apps as P(wsgi.stack.apps#lookup) returns them. Those without an entry in O(builds) are left alone.
  secrets:
    description: What may be secret in the apps, as the filter P(wsgi.stack.app_secrets#filter) returns it.
    type: str
    required: true
  builds:
    description: The builds by app, as the module M(wsgi.stack.build) returns them.
    type: dict
    required: true
  command_results:
    description:
      - What this module returned on the hosts that ran the C(release_commands) of some app, by the name of the host.
      - With it, no commands are run here. An app that has some gets a new release only if it got one on one of those hosts; if
        they failed there, the app fails here, too.
      - Without it, the commands are run here.
    type: dict
  host:
    description: The name of this host among O(command_results).
    type: str
    default: ""
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.jobs
attributes:
  check_mode:
    description: Says what it would do without changing the host, and which commands would be run without running them.
  diff_mode:
    description: Shows the configuration that differs, the names of the variables, never their values, and the commands.
"""

EXAMPLES = r"""
- name: Release the builds
  wsgi.stack.release:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
    builds: "{{ app_build.builds }}"
  register: app_release

- name: Release the builds on every host, the release commands of all apps having been run on the first
  wsgi.stack.release:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
    builds: "{{ app_build.builds }}"
    command_results: "{{ {first: hostvars[first].app_release} }}"
    host: "{{ inventory_hostname }}"
  vars:
    first: "{{ ansible_play_hosts | first }}"
  when: inventory_hostname != first
"""

RETURN = r"""
releases:
  description: The number of the newest release of each app. An app that failed is not there.
  type: dict
  returned: always
  sample: {shop: 12}
commands:
  description: The commands that were run, or in check mode would be, for each app that got a new release here.
  type: dict
  returned: always
  contains:
    command:
      description: The command.
      type: str
    code:
      description: Its exit code, which is 0. Not in check mode, like the rest.
      type: int
    seconds:
      description: How long it took.
      type: float
    output:
      description: The last 200 lines that it printed, without the values of the app's variables.
      type: list
      elements: str
  sample: {shop: [{command: flask db upgrade, code: 0, seconds: 1.2, output: [INFO  Running upgrade -> 1a2b3c]}]}
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log).
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils import _errors
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "apps": {"type": "list", "elements": "dict", "required": True},
            "secrets": {"type": "str", "required": True, "no_log": True},
            "builds": {"type": "dict", "required": True},
            "command_results": {"type": "dict"},
            "host": {"type": "str", "default": ""},
            "jobs": {"type": "int"},
        },
        supports_check_mode=True,
    )
    require_root(module)
    secrets = _resolve.read_secrets(module.params["secrets"])
    builds = module.params["builds"]
    processors = len(os.sched_getaffinity(0))
    host = {"processors": processors, "backlog": _sockets.somaxconn() or 128}  # 128 is the least that a kernel has by default
    request = _release.ReleaseRequest(host, module.check_mode, module.params["host"], module.params["command_results"])

    made, failures = _errors.for_each_app(
        [app for app in module.params["apps"] if app["name"] in builds],
        lambda app: _release.make(app, secrets[app["name"]]["environment"], builds[app["name"]], request),
        module.params["jobs"] or processors,
    )
    module.exit_json(
        changed=any(release["changed"] for release in made.values()),
        releases={name: release["number"] for name, release in made.items()},
        commands={name: release["commands"] for name, release in made.items() if release["commands"]},
        failures=failures,
        diff=[
            {
                "before_header": name,
                "after_header": f"{name}, release {release['number']}",
                "before": release["before"],
                "after": release["after"],
            }
            for name, release in made.items()
            if release["changed"]
        ],
    )


if __name__ == "__main__":
    main()
