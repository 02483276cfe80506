#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make releases live without a failed request."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Make releases of WSGI apps live without a failed request
version_added: 0.1.0
description:
  - Starts the release in the app's idle slot and waits until it answers a real request over its own socket, asked as nginx's
    user. Then renames the live link onto that socket, which nginx follows without a reload, lets the old slot drain and stops it.
  - A release that does not get well is stopped again. What was live stays live and never notices.
  - If the new slot speaks another protocol than the old one, nginx has to be loaded with the new one before the old slot may go.
    Such an app is named in RV(switching), and a second call with O(finish) ends what the first one began.
  - Compares what runs with what is wanted, so a rollout that was interrupted is completed by the next one. A live slot is
    replaced that does not answer, that another stack's server runs, or whose server has loaded a program, a plugin or a
    libpython that was replaced since, as by an upgrade.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description:
      - Apps as P(wsgi.stack.apps#lookup) returns them. Those without an entry in O(releases) are left alone.
  releases:
    description: The number of the release that is wanted live, by app.
    type: dict
    required: true
  preview:
    description:
      - Stop before a release goes live. It runs in the idle slot, and nginx serves it at the app's C(preview_port) if it has one.
      - The next call without O(preview) makes it live, unless another release is wanted by then.
    type: bool
    default: false
  finish:
    description: Whether nginx has been loaded since the first call, so that slots of the other protocol may go.
    type: bool
    default: false
  nginx_user:
    description: The user of nginx's workers.
    type: str
    default: www-data
  jobs:
    description: How many apps are rolled out at once. Twice the number of processors if not given, since a rollout mostly waits.
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.jobs
attributes:
  diff_mode:
    description: Shows the live slot and release of each app.
"""

EXAMPLES = r"""
- name: Roll the releases out
  wsgi.stack.rollout:
    apps: "{{ lookup('wsgi.stack.apps') }}"
    releases: "{{ app_release.releases }}"
"""

RETURN = r"""
steps:
  description: The steps taken, or that would be taken in check mode, by app; each an action and a slot.
  type: dict
  returned: always
  sample: {shop: [[start, green], [flip, green], [record, green], [stop, blue]]}
staged:
  description: The apps of which O(preview) keeps a release from going live.
  type: list
  elements: str
  returned: always
switching:
  description: The apps that change their protocol, for which O(finish) is to be called when nginx has been loaded.
  type: list
  elements: str
  returned: always
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log), the last lines that its server wrote.
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils import _errors
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "apps": {"type": "list", "elements": "dict", "required": True},
            "releases": {"type": "dict", "required": True},
            "preview": {"type": "bool", "default": False},
            "finish": {"type": "bool", "default": False},
            "nginx_user": {"type": "str", "default": "www-data"},
            "jobs": {"type": "int"},
        },
        supports_check_mode=True,
    )
    require_root(module)
    releases = {name: int(number) for name, number in module.params["releases"].items()}
    apps = [app for app in module.params["apps"] if app["name"] in releases]
    nginx_user = module.params["nginx_user"]

    states = _run.observe(apps, nginx_user)
    stacks = {app["name"]: app["stack"] for app in apps}
    hold, settle = module.params["preview"], module.params["finish"]
    plans = {name: _run.plan(state, releases[name], stacks[name], hold, settle) for name, state in states.items()}
    failures: list[dict[str, object]] = []
    if not module.check_mode:
        _done, failures = _errors.for_each_app(
            [app for app in apps if plans[app["name"]]],
            lambda app: _run.Rollout(app, nginx_user).run(plans[app["name"]], releases[app["name"]]),
            module.params["jobs"] or 2 * len(os.sched_getaffinity(0)),
        )
    kept = {name for name, state in states.items() if hold and _run.held(state, releases[name], stacks[name])}
    left = kept | {failure["app"] for failure in failures}
    module.exit_json(
        changed=any(plans.values()),
        steps={name: [list(step) for step in steps] for name, steps in plans.items() if steps},
        staged=sorted(kept),
        switching=[
            name for name, state in states.items() if _run.moving(state, releases[name], stacks[name]) and name not in left
        ],
        failures=failures,
        diff=[
            {
                "before": f"{name}: {_run.describe(states[name])}\n",
                "after": f"{name}: {_run.describe_plan(steps, releases[name], stacks[name])}\n",
            }
            for name, steps in plans.items()
            if steps
        ],
    )


if __name__ == "__main__":
    main()
