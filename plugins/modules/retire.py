#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that takes apps off a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: retire
short_description: Take WSGI apps off a host
version_added: 0.1.0
description:
  - Removes what this collection made for an app. Its slots are stopped under whatever runs them, after the requests in flight
    have ended; then go its units' enablement, vassals, programs with their logs, sockets, builds, releases, cache, repository
    and history, and its user and group.
  - What is in C(shared/) of the app is its own data. It stays, and the user with it, unless O(remove_shared) is set. Whatever
    somebody else put into the app's directory stays in any case. A warning says so.
  - A certificate that certbot has for the app's site goes, too, if it was ordered by M(wsgi.stack.certificate), and neither
    another site nor a file below C(/etc) has it.
  - A user with another home than the app's directory was there before, and stays. nginx's logs of the app stay, too, since they
    tell who asked what.
  - To be run when nginx has been reloaded without the app's site. The site itself is one of nginx's files, see the role
    P(wsgi.stack.nginx#role).
  - A run that was interrupted at any point is completed by the next one.
options:
  keep:
    description: The names of the apps that shall be there.
    type: list
    elements: str
    required: true
  remove:
    description: The names of the apps that shall not be there.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Remove every app, too, that is found on the host and is in neither list.
      - Found are apps below O(directory), whoever ran the collection for them; so two lists of apps for one host need
        directories of their own.
    type: bool
    default: false
  remove_shared:
    description: Remove the data of the apps that are removed, too.
    type: bool
    default: false
  stacks:
    description: The stacks of the apps that shall be there, for RV(unused).
    type: list
    elements: str
    default: []
  directory:
    description: The root of builds, releases and data.
    type: path
    default: /srv/wsgi
  runtime_directory:
    description: The root of the sockets.
    type: path
    default: /run/wsgi
  jobs:
    description: How many apps are removed at once. Twice the number of processors if not given.
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps.jobs
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Remove the apps that shall not be there any more, and those that were dropped from the list
  wsgi.stack.retire:
    keep: "{{ lookup('wsgi.stack.apps') | map(attribute='name') }}"
    remove: "{{ wsgi_apps | wsgi.stack.absent_apps }}"
    prune: true
"""

RETURN = r"""
removed:
  description: The apps of which something was removed, or would be in check mode.
  type: list
  elements: str
  returned: always
kept:
  description: What stays of an app in its directory, as paths, by app.
  type: dict
  returned: always
  sample: {shop: [/srv/wsgi/shop/shared]}
dropped:
  description: The apps found on the host that are in no list, and stay since O(prune) is not set.
  type: list
  elements: str
  returned: always
unused:
  description: The trees of M(wsgi.stack.config_tree) with files of servers that no app needs any more.
  type: list
  elements: str
  returned: always
  sample: [emperor]
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log).
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils import _errors, _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _remove
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "keep": {"type": "list", "elements": "str", "required": True},
            "remove": {"type": "list", "elements": "str", "default": []},
            "prune": {"type": "bool", "default": False},
            "remove_shared": {"type": "bool", "default": False},
            "stacks": {"type": "list", "elements": "str", "default": []},
            "directory": {"type": "path", "default": _layout.DIRECTORY},
            "runtime_directory": {"type": "path", "default": _layout.RUNTIME_DIRECTORY},
            "jobs": {"type": "int"},
        },
        supports_check_mode=True,
    )
    require_root(module)
    wanted = module.params
    directories = wanted["directory"], wanted["runtime_directory"]
    there = _remove.found(*directories)
    layouts = {name: _layout.Layout(name, *directories) for name in sorted(there | set(wanted["keep"]))}
    going = _remove.going(there, wanted["keep"], wanted["remove"], wanted["prune"])
    seen = _run.instances([_remove.placed(layout) for layout in layouts.values()])
    remains = {name: _remove.look(layouts[name], seen, wanted["remove_shared"]) for name in going}

    failures: list[dict[str, object]] = []
    if not module.check_mode:
        _done, failures = _errors.for_each_app(
            [{"name": name} for name in going if remains[name]],
            lambda app: _remove.Retirement(layouts[app["name"]], remains[app["name"]]).run(),
            wanted["jobs"] or 2 * len(os.sched_getaffinity(0)),
        )
    gone = set(going) - {failure["app"] for failure in failures}
    staying = [layout for name, layout in layouts.items() if name not in gone]
    kept = {name: list(remains[name].kept) for name in sorted(gone) if remains[name].kept}
    for name in sorted(gone):
        if sentence := _remove.sentence(layouts[name], remains[name]):
            module.warn(sentence)
    unused = _remove.idle_trees(wanted["stacks"], staying, [layouts[name] for name in gone], seen)
    if not module.check_mode:
        _remove.sweep(unused)
    module.exit_json(
        changed=any(remains.values()),
        removed=[name for name in going if remains[name] and name in gone],
        kept=kept,
        dropped=sorted(there - set(wanted["keep"]) - set(going)),
        unused=unused,
        failures=failures,
        diff=[
            {
                "before_header": name,
                "after_header": name,
                "before": "\n".join([*remains[name].lines(layouts[name]), ""]),
                "after": "",
            }
            for name in going
            if remains[name]
        ],
    )


if __name__ == "__main__":
    main()
