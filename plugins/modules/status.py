#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module that tells how the WSGI apps of a host are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status
short_description: Tell how the WSGI apps of a host are
version_added: 0.1.0
description:
  - Tells of each app which release is live, in which slot and under which stack, since when, what its processes take, which
    releases there are to go back to, and how long the certificate of its site is valid. Changes nothing.
  - Apps that are on the host and not in O(apps) are there too.
  - Each app whose live slot runs is asked once, by its own socket, as a rollout asks it. One that sleeps is not woken.
options:
  directory:
    description: The root of builds, releases and data.
    type: path
    default: /srv/wsgi
  runtime_directory:
    description: The root of the sockets.
    type: path
    default: /run/wsgi
  nginx_user:
    description: The user of nginx's workers, as whom the apps are asked.
    type: str
    default: www-data
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
seealso:
  - module: wsgi.stack.doctor
notes:
  - Prints RV(report) as it is when the output is that of the callback C(default).
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Look at the apps
  wsgi.stack.status:
    apps: "{{ wsgi_apps | wsgi.stack.resolve_apps }}"
  register: status

- name: Fail if one is down
  ansible.builtin.assert:
    that: status.apps | selectattr('state', 'eq', 'down') | length == 0
    fail_msg: "{{ status.apps | selectattr('state', 'eq', 'down') | map(attribute='app') | join(', ') }}"
"""

RETURN = r"""
apps:
  description: The apps, those of O(apps) first.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: Its name.
      type: str
    listed:
      description: Whether it is in O(apps).
      type: bool
    state:
      description: >-
        V(up), the live slot answers as its health check wants; V(asleep), it will at the first request; V(down), it does not;
        V(held), nothing is live, but a release waits for that; V(absent), nothing is live. An app that is not in O(apps) is
        V(up) whatever it answers.
      type: str
    stack:
      description: The stack that the live slot runs under, or ran under last.
      type: str
    slot:
      description: The live slot.
      type: str
    release:
      description: The number of the live release.
      type: int
    revision:
      description: What its code is, such as a commit.
      type: str
    live_since:
      description: When it went live, UTC.
      type: str
      sample: "2026-11-20T19:30:00Z"
    held:
      description: The number of the release that is held in the idle slot.
      type: int
    previous:
      description: The number of the newest release on the host that was live before.
      type: int
    processes:
      description: How many processes the live slot has.
      type: int
    memory_mib:
      description: >-
        Their memory in MiB; what several processes share counts once. Nothing if the kernel does not tell, as in a container
        without the capability SYS_PTRACE.
      type: float
    uptime:
      description: Seconds since the first of them began.
      type: int
    outdated:
      description: Programs and libraries that they run and that were replaced since, as by an upgrade.
      type: list
      elements: str
    releases:
      description: >-
        The releases on the host, ascending, each with C(number), C(stack), C(revision), C(made) (UTC), and C(been_live), whether
        it was live at any time.
      type: list
      elements: dict
    certificate:
      description: >-
        The certificate of its first site with TLS, with C(path), C(names), C(ends), C(days_left), C(self_signed), C(message) and
        C(late), whether it should have been renewed. Nothing without TLS.
      type: dict
report:
  description: All of it for people as a table, a line an element. The last line sums up.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.status import _status


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "apps": {"type": "list", "elements": "dict", "required": True},
            "directory": {"type": "path", "default": _layout.DIRECTORY},
            "runtime_directory": {"type": "path", "default": _layout.RUNTIME_DIRECTORY},
            "nginx_user": {"type": "str", "default": "www-data"},
        },
        supports_check_mode=True,
    )
    require_root(module)
    wanted = module.params
    apps = _status.examine(wanted["apps"], wanted["directory"], wanted["runtime_directory"], wanted["nginx_user"])
    module.exit_json(changed=False, apps=apps, report=_status.table(apps))


if __name__ == "__main__":
    main()
