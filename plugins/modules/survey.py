#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: survey
short_description: Find out what the roles have to do on a host
version_added: 0.1.0
author:
  - The wsgi.stack founders (@wsgi-stack)
description:
  - Reads the tasks of roles of this collection, with their variables, and asks in one module execution what each of them would
    change. It runs each in check mode, with the same code and the same arguments, so it never has an opinion of its own.
  - A role that has nothing to do is listed in C(idle) of P(wsgi.stack.run#lookup). Leave it out.
  - In a role that has something to do, a task whose arguments are those of the survey returns what the survey found, without a
    module execution, as long as no task that it depends on has changed anything since. M(wsgi.stack.build),
    M(wsgi.stack.release), M(wsgi.stack.rollout) and M(wsgi.stack.site_probe_info) are executed for the apps alone that they
    have something to do for.
  - A playbook without this module runs every task.
options:
  roles:
    description: The roles that follow. V(app/retire) stands for the tasks C(retire) of the role C(app).
    type: list
    elements: str
    required: true
  steps:
    description:
      - The tasks.
      - Set by the action plugin of this module, not by playbooks.
    type: str
    default: ""
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
  - wsgi.stack.attributes.root
attributes:
  diff_mode:
    description: Prints what changes of the apps, in the words of their entries.
    support: full
seealso:
  - plugin: wsgi.stack.run
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Find out what there is to do
  wsgi.stack.survey:
    roles: [app, uwsgi, nginx]

- name: Configure nginx
  ansible.builtin.include_role:
    name: wsgi.stack.nginx
  when: "'nginx' not in lookup('wsgi.stack.run').idle"
"""

RETURN = r"""
idle:
  description: The roles of O(roles) that have nothing to do.
  type: list
  elements: str
  returned: always
changes:
  description:
    - What changes of each app, in the words of its entry, a list of lines by app. Of variables only the names. With C(--diff)
      they are printed.
  type: dict
  returned: always
  sample: {shop: ["processes 4 -> 8", "source.version v1.4 (3f2c1ab04) -> v1.5 (9ab1c2d3e)", "environment: GREETING changed"]}
live:
  description: The number C(release) of the live release of each app that has one, and its C(revision), by app.
  type: dict
  returned: always
  sample: {shop: {release: 12, revision: 3f2c1ab04d5e6f708192a3b4c5d6e7f801234567}}
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages, _redact
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Module
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.survey import _packed, _survey


@_bytecode.kept
def main() -> None:
    module = Module(
        {"roles": {"type": "list", "elements": "str", "required": True}, "steps": {"type": "str", "no_log": True, "default": ""}},
        supports_check_mode=True,
    )
    require_root(module)
    steps = _packed.unpack(module.params["steps"])
    module.no_log_values.update(_redact.credentials_in(steps))
    answers, live = _survey.survey(steps), _survey.live(steps)
    told = {step["module"]: answer.told for step, answer in zip(steps, answers) if answer.told is not None}
    changes = _survey.changes(steps, live, told)
    for entry in live.values():
        del entry["entry"]
    needed = {"sources": _survey.sources(steps, told), "package_lists": _packages.has_lists()}
    module.exit_json(changed=False, answers=[answer.returned() for answer in answers], live=live, changes=changes, **needed)


if __name__ == "__main__":
    main()
