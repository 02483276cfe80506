#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remove WSGI apps from a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: retire
short_description: Remove WSGI apps from a host
version_added: 0.1.0
description:
  - Removes what this collection created for an app. Its slots are drained and stopped under whatever runs them. Then it removes
    the app's enabled units, vassals and supervisor programs with their logs, its sockets, builds, releases, caches, repository
    and history, and its user and group.
  - What a systemd of the app's user runs, see C(loginctl enable-linger), ends for good. If the user runs other processes that
    belong to no slot, such as a login shell, the app is not removed.
  - C(shared/) is the app's own data. It is kept, together with the user, unless O(remove_shared) is set. Files in the app's
    directory that the collection did not create are always kept. A warning names what was kept.
  - Deletes the certificate that certbot has for the app's site if M(wsgi.stack.certificate) ordered it, and neither another
    site nor a file below C(/etc) uses it.
  - A user or group that was not made for the app is kept, see M(wsgi.stack.accounts). So are nginx's access and error logs.
  - With the user, its files go from C(/tmp), C(/var/tmp) and C(/dev/shm), and so do its System V IPC and its cron jobs.
  - Run it after nginx was reloaded without the app's site. The site's files belong to the role P(wsgi.stack.nginx#role).
  - The next run completes one that was interrupted.
options:
  keep:
    description: The names of the apps to keep.
    type: list
    elements: str
    required: true
  remove:
    description: The names of the apps to remove.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Also remove every app on the host that belongs to O(list) and is in neither of the two.
    type: bool
    default: false
  remove_shared:
    description: Also remove the data of the removed apps, C(shared/).
    type: bool
    default: false
  stacks:
    description: The stacks of the apps to keep, for RV(unused).
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
    description: How many apps are removed at once. The default is twice the number of processors.
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps.list
  - wsgi.stack.apps.only
  - wsgi.stack.apps.jobs
author:
  - The wsgi.stack founders (@wsgi-stack)
"""

EXAMPLES = r"""
- name: Remove the apps with state absent, and those that are no longer in the list
  wsgi.stack.retire:
    keep: "{{ lookup('wsgi.stack.apps') | map(attribute='name') }}"
    remove: "{{ wsgi_apps | wsgi.stack.absent_apps }}"
    prune: true
"""

RETURN = r"""
removed:
  description: The apps of which something was removed, or would be removed in check mode.
  type: list
  elements: str
  returned: always
kept:
  description: The paths in an app's directory that were kept, by app.
  type: dict
  returned: always
  sample: {shop: [/srv/wsgi/shop/shared]}
dropped:
  description: The apps of O(list) on the host that are neither kept nor removed, since O(prune) is not set.
  type: list
  elements: str
  returned: always
unused:
  description:
    - The trees of M(wsgi.stack.config_tree) with files of app servers that no app needs any more.
    - Those in RV(leftovers) are among them.
  type: list
  elements: str
  returned: always
  sample: [emperor]
leftovers:
  description: The trees that other apps need, each with the apps that have files in it and need them no more.
  type: dict
  returned: always
  sample: {bind: [shop]}
leaving:
  description:
    - The stacks under which an app that stays still runs, though O(stacks) has them no more.
    - When that app has moved to another stack, there may be more in RV(unused).
  type: list
  elements: str
  returned: always
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log).
  type: list
  elements: dict
  returned: always
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _remove
from ansible_collections.wsgi.stack.plugins.module_utils.removal._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main(remove=_remove.locked_retirement, remove_directories=_remove.remove_empty_directories)


if __name__ == "__main__":
    main()
