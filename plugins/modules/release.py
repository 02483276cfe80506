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
  - Ends with importing the entry point as the app's user, through the new release's own C(run), in its directory, with its
    virtual environment and its variables. A release whose entry point cannot be imported does not come into being.
  - Touches nothing that runs. Removes releases and builds that are older than the last C(keep_releases) releases and that no
    slot names.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description:
      - Apps as the filter P(wsgi.stack.resolve_apps#filter) returns them. Those without an entry in O(builds) are left alone.
    type: list
    elements: dict
    required: true
  secrets:
    description: What may be secret in the apps, as the filter P(wsgi.stack.app_secrets#filter) returns it.
    type: str
    required: true
  builds:
    description: The builds by app, as the module M(wsgi.stack.build) returns them.
    type: dict
    required: true
  jobs:
    description: How many apps are worked on at once. The number of processors if not given.
    type: int
attributes:
  check_mode:
    description: Says what it would do without changing the host.
    support: full
  diff_mode:
    description: Shows the configuration that differs, and the names of the variables, never their values.
    support: full
"""

EXAMPLES = r"""
- name: Release the builds
  wsgi.stack.release:
    apps: "{{ wsgi_apps | wsgi.stack.resolve_apps }}"
    secrets: "{{ wsgi_apps | wsgi.stack.app_secrets }}"
    builds: "{{ app_build.builds }}"
  register: app_release
"""

RETURN = r"""
releases:
  description: The number of the newest release of each app. An app that failed is not there.
  type: dict
  returned: always
  sample: {shop: 12}
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log).
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils import _apps, _failures, _release


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "apps": {"type": "list", "elements": "dict", "required": True},
            "secrets": {"type": "str", "required": True, "no_log": True},
            "builds": {"type": "dict", "required": True},
            "jobs": {"type": "int"},
        },
        supports_check_mode=True,
    )
    secrets = _apps.read_secrets(module.params["secrets"])
    builds = module.params["builds"]
    processors = len(os.sched_getaffinity(0))
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as stream:
        host = {"processors": processors, "backlog": int(stream.read())}

    made, failures = _failures.each(
        [app for app in module.params["apps"] if app["name"] in builds],
        lambda app: _release.make(app, secrets[app["name"]]["environment"], builds[app["name"]], host, module.check_mode),
        module.params["jobs"] or processors,
    )
    module.exit_json(
        changed=any(release["changed"] for release in made.values()),
        releases={name: release["number"] for name, release in made.items()},
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
