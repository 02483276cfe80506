#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make releases live with zero downtime."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Make releases of WSGI apps live with zero downtime
version_added: 0.1.0
description:
  - Blue/green deployment with zero downtime. Starts the release in the app's idle slot and waits until it passes its health
    check, a real request over its own socket, sent as nginx's user, which every worker has to answer. Then swaps the symlink of
    the live socket, which nginx follows without a reload, drains the old slot and stops it.
  - A release that fails its health check is stopped again. The live one keeps serving.
  - If the new slot speaks another protocol than the old one, nginx has to be reloaded with the new one before the old slot may
    stop. Such an app is listed in RV(switching), and a second call with O(finish) completes what the first one began.
  - Compares what runs with what is wanted, so the next call completes a rollout that was interrupted. A live slot is also
    replaced if it fails its health check, runs under another stack, or has loaded a program, a plugin or a libpython that was
    replaced on the disk since, as by an upgrade.
author:
  - The wsgi.stack founders (@wsgi-stack)
options:
  apps:
    description:
      - Apps as P(wsgi.stack.apps#lookup) returns them. Those without an entry in O(releases) are not touched.
  releases:
    description: The number of the release that is wanted live, by app.
    type: dict
    required: true
  preview:
    description:
      - Stage the release instead of making it live. It runs in the idle slot, and nginx serves it at the app's C(preview_port)
        if it has one.
      - The next call without O(preview) makes it live, unless another release is wanted by then.
    type: bool
    default: false
  finish:
    description: Whether nginx has been reloaded since the first call, so that slots with the old protocol can be stopped.
    type: bool
    default: false
  nginx_user:
    description: The user of nginx's workers, who sends the health checks.
    type: str
    default: www-data
  jobs:
    description: >-
      How many apps start at once. The default is twice the number of processors, since a start mostly waits. Three times as many
      others may wait for the last requests to their former releases meanwhile.
extends_documentation_fragment:
  - wsgi.stack.attributes
  - wsgi.stack.attributes.root
  - wsgi.stack.apps
  - wsgi.stack.apps.jobs
attributes:
  check_mode:
    description: Returns the steps that it would take, and changes nothing.
  diff_mode:
    description: Shows the live slot and release of each app, and the steps.
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
  description: The apps with a release that runs but is kept from going live by O(preview).
  type: list
  elements: str
  returned: always
switching:
  description: The apps that change their protocol. Reload nginx, then call this module again with O(finish).
  type: list
  elements: str
  returned: always
failures:
  description: The apps that failed, each with C(app), C(step), C(message) and C(log), the last lines of its server's log.
  type: list
  elements: dict
  returned: always
"""

from ansible_collections.wsgi.stack.plugins.module_utils import _bytecode
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _run
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._step import STEP


@_bytecode.kept
def main() -> None:
    STEP.main(roll_out=_run.locked_rollout)


if __name__ == "__main__":
    main()
