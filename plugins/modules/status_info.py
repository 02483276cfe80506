#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show the status of the WSGI apps on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status_info
short_description: Show the status of the WSGI apps on a host
version_added: 0.1.0
description:
  - Returns for each app which release is live, in which slot and under which stack, since when, the memory of its processes, the
    releases that a rollback could restore, and when the certificate of its site expires. Changes nothing.
  - Includes apps that are on the host but not in O(apps), if they belong to O(list).
  - Each app whose live slot runs gets one health check over its own socket, as in a rollout. One that sleeps is not woken.
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
    description: The user of nginx's workers, who sends the health checks.
    type: str
    default: www-data
extends_documentation_fragment:
  - wsgi.stack.attributes.reader
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.list
  - wsgi.stack.apps.only
seealso:
  - module: wsgi.stack.doctor_info
notes:
  - With the callback plugin C(default), RV(report) is printed as a table.
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Get the status of the apps
  wsgi.stack.status_info:
    apps: "{{ lookup('wsgi.stack.apps') }}"
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
      description: The name of the app.
      type: str
    listed:
      description: Whether it is in O(apps).
      type: bool
    state:
      description: >-
        V(up), the live slot passes its health check; V(asleep), it starts at its first request; V(down), it fails the health
        check or does not run; V(staged), nothing is live, but a release is staged; V(absent), nothing is live. An app that is
        not in O(apps) is V(up) whatever it answers.
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
      description: The version of its code, such as a commit.
      type: str
    live_since:
      description: When it went live, UTC.
      type: str
      sample: "2026-11-20T19:30:00Z"
    staged:
      description: The number of the staged release in the idle slot.
      type: int
    previous:
      description: >-
        The number of the release that a rollback restores. Of those older than the live one, it is the one that was live last.
      type: int
    processes:
      description: The number of processes of the live slot.
      type: int
    memory_mib:
      description: >-
        Their memory in MiB; shared memory counts once. Null if the kernel does not say, as in a container without the capability
        SYS_PTRACE.
      type: float
    uptime:
      description: Seconds since the first of them started.
      type: int
    outdated:
      description: Programs and libraries that they have loaded and that were replaced since, as by an upgrade.
      type: list
      elements: str
    workers:
      description: The workers of the live release on this host, each with C(name), C(running) and C(count), its processes.
      type: list
      elements: dict
    timers:
      description: >-
        The timers of the live release on this host, each with C(name), C(next) and C(last), when it elapses next and did last,
        and C(result), how its last job since the boot ended, such as V(success) or V(exit-code).
      type: list
      elements: dict
    releases:
      description: >-
        The releases on the host, ascending, each with C(number), C(stack), C(revision), C(made) (UTC), and C(been_live), whether
        it was ever live.
      type: list
      elements: dict
    certificate:
      description: >-
        The certificate of its first site with TLS, with C(path), C(names), C(ends), C(days_left), C(self_signed), C(message) and
        C(late), whether it should have been renewed already. Null without TLS.
      type: dict
report:
  description: The lines of a table with all of this. The last line is a summary.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode, _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Module
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.status import _status, _table


@_bytecode.kept
def main() -> None:
    module = Module(
        argument_spec={
            **_record.OPTIONS,
            "apps": {"type": "list", "elements": "dict", "required": True},
            "directory": {"type": "path", "default": _layout.DIRECTORY},
            "runtime_directory": {"type": "path", "default": _layout.RUNTIME_DIRECTORY},
            "nginx_user": {"type": "str", "default": "www-data"},
        },
        supports_check_mode=True,
    )
    require_root(module)
    wanted = module.params
    try:
        apps = _status.examine(
            wanted["apps"], wanted["directory"], wanted["runtime_directory"], wanted["nginx_user"], _record.scope(wanted)
        )
    except StackError as failure:
        module.fail_json(msg=f"{failure.step}: {failure.cause}")
    module.exit_json(changed=False, apps=apps, report=_table.table(apps))


if __name__ == "__main__":
    main()
